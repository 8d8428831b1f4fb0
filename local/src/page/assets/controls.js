// The buttons: each asks the server to put a record into click-stream, as any other producer would.

const user = document.getElementById('user');
const lateSeconds = document.getElementById('late-seconds');
const refusal = document.getElementById('refusal');
const shop = document.getElementById('shop');

async function post(path, body) {
  refusal.textContent = '';
  try {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) refusal.textContent = await answer.text();
  } catch (error) {
    refusal.textContent = `serve does not answer: ${error.message}`;
  }
}

export function listen() {
  document.getElementById('controls').addEventListener('submit', (event) => {
    event.preventDefault();
    post('/click', { user: user.value, late_ms: 0 });
  });
  document.getElementById('late').addEventListener('click', () => {
    if (!user.reportValidity() || !lateSeconds.reportValidity()) return;
    post('/click', { user: user.value, late_ms: Math.round(lateSeconds.valueAsNumber * 1_000) });
  });
  document.getElementById('broken').addEventListener('click', () => {
    if (!user.reportValidity()) return;
    post('/broken', { user: user.value, fault: document.getElementById('fault').value });
  });
  shop.addEventListener('click', () => post('/shop', { open: shop.getAttribute('aria-pressed') !== 'true' }));
}

export function drawShop(isOpen) {
  shop.setAttribute('aria-pressed', isOpen);
  shop.textContent = isOpen ? 'Stop demo users' : 'Start demo users';
}
