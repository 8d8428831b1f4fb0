//! DynamoDB in this process: the emulator dynoxide behind a real HTTP port.
//!
//! Owns the storage: memory, or a file that outlives the process. Must not know this project's tables (see
//! `resources`), and must only be called over HTTP, by the SDK. The emulator never throttles and does not delete items
//! by TTL on its own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dynoxide::Database;

use crate::LocalAwsError;
use crate::running_server::RunningServer;

/// The database file in the data directory. While it is open, SQLite keeps two more files next to it.
const DATABASE_FILE: &str = "dynamodb.sqlite";

/// A DynamoDB endpoint on a loopback port. Dropping it stops it.
#[derive(Debug)]
pub struct DynamoDbServer {
    server: RunningServer,
}

impl DynamoDbServer {
    /// Starts a server that keeps its tables in `data_dir`, which it creates if necessary, or in memory if `data_dir`
    /// is `None`.
    ///
    /// # Errors
    /// If the directory cannot be created, its database cannot be opened, or no loopback port can be bound.
    pub async fn start(data_dir: Option<&Path>) -> Result<Self, LocalAwsError> {
        let database = open(data_dir)?;
        let server = RunningServer::start("DynamoDB", |listener, shutdown| {
            dynoxide::server::serve_with_shutdown(listener, database, shutdown.wait())
        })
        .await?;
        Ok(Self { server })
    }

    /// Whether `data_dir` contains the database of an earlier run.
    pub fn has_data(data_dir: &Path) -> bool {
        Self::database_file(data_dir).exists()
    }

    /// The file in `data_dir` that stores the tables.
    pub fn database_file(data_dir: &Path) -> PathBuf {
        data_dir.join(DATABASE_FILE)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Stops the server and waits until its port is free and all acknowledged writes are in its file.
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
        return Err(unusable(ErrorKind::NotADirectory.into())); // the system's error would only say that it exists
    }
    std::fs::create_dir_all(data_dir).map_err(unusable)?;

    let file = DynamoDbServer::database_file(data_dir);
    let open_failed = |reason: String| LocalAwsError::OpenDatabase { place: file.display().to_string(), reason };
    let path = file.to_str().ok_or_else(|| open_failed("its path is not UTF-8".to_owned()))?;
    let database = Database::new(path).map_err(|error| open_failed(error.to_string()))?;
    // Despite its name, this is SQLite's `synchronous = NORMAL`: acknowledged writes survive a crash of this process
    // but not a power failure. The default waits for the disk after every statement and takes about thirty times as
    // long.
    database.disable_bulk_loading().map_err(|error| open_failed(error.to_string()))?;
    Ok(database)
}
