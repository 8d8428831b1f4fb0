//! The command line: the commands and their options.

use clap::{Args, Parser, Subcommand};
use ops::tables::{DEFAULT_LIMIT, MAX_LIMIT};

/// Printed by `--help` below the options.
const AFTER_HELP: &str = "\
Environment variables (profiles are not read; `aws configure export-credentials --format env` prints a profile's credentials):
  AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
  AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_KINESIS   endpoints to call instead of AWS
  SSL_CERT_FILE                                         root certificates to trust instead of Amazon's
  SESSIONS_TABLE, STATE_LOG_TABLE, STATE_TABLE, REJECTED_TABLE
                                                        table names, if they differ from template.yaml

Exit status:
  0  success
  1  the command failed or was not confirmed, or Kinesis did not accept every record of a `redrive`
  2  the command line has an unknown option or an invalid value, or `redrive` had neither a terminal to ask for
     confirmation nor --yes";

/// Shows a deployed sessionizer's tables and redrives rejected records.
///
/// Each command first prints the account, region, endpoints and tables it is about to read or change.
#[derive(Debug, Parser)]
#[command(name = "sessionctl", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows some sessions, users' states and rejected records.
    #[command(after_help = AFTER_HELP)]
    Tables(TablesArgs),
    /// Puts rejected records back into the streams they came from and deletes their items, after asking for
    /// confirmation.
    #[command(after_help = AFTER_HELP)]
    Redrive(RedriveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TablesArgs {
    /// Maximum number of sessions, users and rejected records to show, 1 to 1000 of each, in no particular order.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct RedriveArgs {
    /// Redrives only records rejected for these reasons, separated by commas; default: every reason. An unknown reason
    /// is an error that lists the valid ones.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub(crate) reasons: Vec<String>,
    /// Counts the records that would be put back and changes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Skips the confirmation. DANGER: with credentials or a region left over in the environment, this puts every
    /// rejected record of the wrong account back into its stream and deletes its item. Run with --dry-run first.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
}
