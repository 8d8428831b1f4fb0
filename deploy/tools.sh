# Sourced by `check` and `rehearse`: installs the tools in virtual environments below target/ and builds the functions.
# Installs nothing elsewhere and fetches only what the requirements files pin.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Kept between runs, so that the next one installs and compiles nothing again.
tools=${DEPLOY_TOOLS_DIR:-${CARGO_TARGET_DIR:-$PWD/target}/deploy-tools}

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

# environment NAME: creates the virtual environment of requirements/NAME.txt unless it exists and the file is unchanged.
environment() {
  local requirements=deploy/requirements/$1.txt directory=$tools/$1
  cmp -s "$requirements" "$directory/made-from.txt" && return
  echo "installing $requirements into $directory"
  rm -rf "$directory"
  python3 -m venv "$directory"
  "$directory/bin/pip" --quiet --disable-pip-version-check install --only-binary :all: -r "$requirements"
  cp "$requirements" "$directory/made-from.txt"
}

# The deployment tools, without telemetry and without credentials, so that any accidental call to AWS fails.
sam_tools() {
  environment sam
  export PATH=$tools/sam/bin:$PATH
  export PYTHONDONTWRITEBYTECODE=1 SAM_CLI_TELEMETRY=0 AWS_EC2_METADATA_DISABLED=true
  export AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none
  unset AWS_PROFILE AWS_SESSION_TOKEN
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
}

# build DIRECTORY: `sam build` as for a deployment, but for this machine's architecture, a target every toolchain has.
#
# Compiles without optimization, which is enough to check that the build works and its result runs. FULL_BUILD=1
# compiles as a deployment does and takes several times as long.
build() {
  # cargo-lambda downloads a missing target through rustup. These make that fail at once instead of hanging.
  export RUSTUP_DIST_SERVER=http://127.0.0.1:9 RUSTUP_UPDATE_ROOT=http://127.0.0.1:9
  export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
  export CARGO_TARGET_DIR=$tools/compiled
  unset RUSTC_WORKSPACE_WRAPPER RUSTFLAGS
  local unoptimized=(
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256
  )
  if [ -n "${FULL_BUILD:-}" ]; then unoptimized=(_=); fi # bash 3.2 of macOS rejects an empty array under set -u
  env "${unoptimized[@]}" sam build --build-dir "$1" --parameter-overrides "Architecture=$(architecture)"
}

architecture() {
  case $(uname -m) in
    aarch64 | arm64) echo arm64 ;;
    *) uname -m ;;
  esac
}
