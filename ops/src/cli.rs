//! The command line: the commands and their options.

use clap::{Args, Parser, Subcommand};
use ops::tables::{DEFAULT_LIMIT, MAX_LIMIT};

/// What `--help` says below the options.
const AFTER_HELP: &str = "\
Variables (profiles are not read; `aws configure export-credentials --format env` prints a profile's credentials):
  AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
  AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_KINESIS   where to call instead of AWS
  SSL_CERT_FILE                                         certificates to trust instead of Amazon's
  SESSIONS_TABLE, STATE_TABLE, REJECTED_TABLE           tables, if not named as in template.yaml

Exit status:
  0  success
  1  something failed or was not confirmed; of `redrive`: or Kinesis did not take a record
  2  the command line has an unknown option or a value outside its limits; of `redrive`: or there is no terminal to
     confirm it at and no --yes";

/// Looks into a deployed sessionizer's tables, and redrives rejected records.
///
/// Each command first says which account, region, endpoints and tables it is about to read or change.
#[derive(Debug, Parser)]
#[command(name = "sessionctl", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows some of what the tables hold: sessions, users' states, rejected records.
    #[command(after_help = AFTER_HELP)]
    Tables(TablesArgs),
    /// Puts rejected records back into the streams they came from and deletes their items; asks before it does.
    #[command(after_help = AFTER_HELP)]
    Redrive(RedriveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TablesArgs {
    /// Most items to read of each table, 1 to 1000; a Scan returns them in no particular order.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct RedriveArgs {
    /// Only records rejected for these reasons, separated by commas; all of them without it. An unknown reason is an
    /// error that lists those there are.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub(crate) reasons: Vec<String>,
    /// Only counts what would be put back.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Does not ask. DANGER: nothing then stands between credentials or a region left over in the environment and the
    /// wrong account, where every rejected record becomes a click and its item is deleted. Count with --dry-run first.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
}
