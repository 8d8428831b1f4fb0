//! DynamoDB in this process: the emulator dynoxide behind a real HTTP port.
//!
//! Owns where the data lies: in memory, or in a file that outlives the process. Must not know which tables this
//! project has (see `resources`), and must not be spoken to but over HTTP: whoever uses it goes through the SDK.
//! The emulator never throttles and deletes nothing by TTL on its own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dynoxide::Database;

use crate::LocalAwsError;
use crate::running_server::RunningServer;

/// The database's file in the data directory. SQLite keeps two more beside it while it is open.
const DATABASE_FILE: &str = "dynamodb.sqlite";

/// A DynamoDB endpoint on a loopback port. It stops when it is dropped.
#[derive(Debug)]
pub struct DynamoDbServer {
    server: RunningServer,
}

impl DynamoDbServer {
    /// Starts a server that keeps its tables in `data_dir`, which is made when it is missing, or in memory when there
    /// is none.
    ///
    /// # Errors
    /// When the directory cannot be made, its database cannot be opened, or no loopback port can be bound.
    pub async fn start(data_dir: Option<&Path>) -> Result<Self, LocalAwsError> {
        let database = open(data_dir)?;
        let server = RunningServer::start("DynamoDB", |listener, shutdown| {
            dynoxide::server::serve_with_shutdown(listener, database, shutdown.wait())
        })
        .await?;
        Ok(Self { server })
    }

    /// Whether an earlier run has left a database in `data_dir`.
    pub fn has_data(data_dir: &Path) -> bool {
        Self::database_file(data_dir).exists()
    }

    /// The file in `data_dir` that holds the tables.
    pub fn database_file(data_dir: &Path) -> PathBuf {
        data_dir.join(DATABASE_FILE)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Stops the server and waits until its port is free and what it has answered is in its file.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

fn open(data_dir: Option<&Path>) -> Result<Database, LocalAwsError> {
    let Some(data_dir) = data_dir else {
        return Database::memory()
            .map_err(|error| LocalAwsError::OpenDatabase { place: "memory".to_owned(), reason: error.to_string() });
    };
    let unusable = |source| LocalAwsError::DataDir { data_dir: data_dir.to_owned(), source };
    if data_dir.exists() && !data_dir.is_dir() {
        return Err(unusable(ErrorKind::NotADirectory.into())); // the system would only say that it exists
    }
    std::fs::create_dir_all(data_dir).map_err(unusable)?;

    let file = DynamoDbServer::database_file(data_dir);
    let open_failed = |reason: String| LocalAwsError::OpenDatabase { place: file.display().to_string(), reason };
    let path = file.to_str().ok_or_else(|| open_failed("its path is not UTF-8".to_owned()))?;
    let database = Database::new(path).map_err(|error| open_failed(error.to_string()))?;
    // Despite its name, this is SQLite's `synchronous = NORMAL`: what has been answered outlives this process, though
    // not a power failure. The default waits for the disk after every statement, and takes some thirty times as long.
    database.disable_bulk_loading().map_err(|error| open_failed(error.to_string()))?;
    Ok(database)
}
