//! Failing reads and expired iterators, injected between the SDK and the server by an interceptor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::Builder;
use aws_sdk_kinesis::config::interceptors::BeforeSerializationInterceptorContextMut;
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::BoxError;
use aws_sdk_kinesis::operation::get_records::GetRecordsInput;
use local_aws::event_source_mapping::{EventSourceMapping, MappingConfig};

use crate::bench::{Bench, Log, STREAM, config, soon, succeeding};

/// What happens to every third GetRecords.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// It does not reach the server.
    Fails,
    /// Its iterator is an hour old.
    Expired,
    /// Its iterator is invalid.
    Garbled,
}

#[derive(Debug)]
struct Troubled {
    trouble: Trouble,
    reads: Arc<AtomicUsize>,
}

impl Intercept for Troubled {
    fn name(&self) -> &'static str {
        "Troubled"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(read) = context.input_mut().downcast_mut::<GetRecordsInput>() else { return Ok(()) };
        if self.reads.fetch_add(1, Ordering::SeqCst) % 3 != 1 {
            return Ok(());
        }
        match self.trouble {
            Trouble::Fails => return Err("the connection was reset".into()),
            Trouble::Expired => read.shard_iterator = Some(expired_iterator()),
            Trouble::Garbled => read.shard_iterator = Some("AAAA".to_owned()),
        }
        Ok(())
    }
}

/// An iterator in the emulator's format, from the year 2001.
fn expired_iterator() -> String {
    let number = "49590338271490256608559692538361571095921575989136588898";
    ferrokinesis::shard_iterator::create_shard_iterator(STREAM, "shardId-000000000000", number, 1_000_000_000_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_read_reading_continues_at_the_same_position() {
    for trouble in [Trouble::Fails, Trouble::Expired, Trouble::Garbled] {
        let bench = Bench::start(1).await;
        bench.put((0..30).map(|number| ("user1".to_owned(), number.to_string()))).await;
        let (log, reads) = (Log::default(), Arc::new(AtomicUsize::new(0)));
        let interceptor = Troubled { trouble, reads: Arc::clone(&reads) };
        let client_config = Builder::from(bench.embedded.client_config()).interceptor(interceptor).build();
        let kinesis = Client::from_conf(client_config);
        let config = MappingConfig { batch_size: 2, ..config() };
        let mapping = EventSourceMapping::start(kinesis, config, succeeding(&log)).unwrap();
        soon(mapping.progress().wait_until_done(30)).await.unwrap();

        let expected: Vec<_> = (0..30).map(|number| number.to_string()).collect();
        assert_eq!(log.texts().concat(), expected, "{trouble:?}");
        assert!(reads.load(Ordering::SeqCst) > 3, "no fault was injected: {trouble:?}");
    }
}
