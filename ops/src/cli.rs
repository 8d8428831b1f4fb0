//! The command line: the commands and their options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ops::produce::Share;
use ops::tables::{DEFAULT_LIMIT, MAX_LIMIT};
use ops::time_text;
use shared::event_time::EventTime;
use shared::user_id::{InvalidUserId, UserId};

/// Printed by `--help` below the options.
const AFTER_HELP: &str = "\
Environment variables (profiles are not read; `aws configure export-credentials --format env` prints a profile's credentials):
  AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
  AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_KINESIS   endpoints to call instead of AWS
  SSL_CERT_FILE                                         root certificates to trust instead of Amazon's
  SESSIONS_TABLE, STATE_LOG_TABLE, STATE_TABLE, REJECTED_TABLE, SESSION_STREAM, CLICK_STREAM
                                                        names, if they differ from template.yaml
  SESSION_GAP_SECONDS, ALLOWED_LATENESS_SECONDS, CLOSE_GRACE_SECONDS, SESSION_CUT, SESSION_CUT_OFFSET_MINUTES
                                                        what `state` assumes of the sessionizer, if not the defaults

Exit status:
  0  success
  1  the command failed or was not confirmed, or Kinesis did not accept every record of a `redrive` or `produce`
  2  the command line has an unknown option or an invalid value, or `redrive`, `forget` or `produce` had neither a
     terminal to ask for confirmation nor --yes";

/// Shows what a deployed sessionizer stores and publishes, redrives rejected records, forgets users, and puts a load of
/// clicks into a stream.
///
/// Each command first prints the account, region, endpoints, tables and streams it is about to read or change, on
/// standard error.
#[derive(Debug, Parser)]
#[command(name = "sessionctl", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Writes one JSON object a line to standard output, and nothing else. Times are Unix milliseconds.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows a user's sessions in order, or one session.
    #[command(after_help = AFTER_HELP)]
    Sessions(SessionsArgs),
    /// Shows who has a session under way: since when, the last click, how many clicks. Reads the whole state log.
    #[command(after_help = AFTER_HELP)]
    Active(ActiveArgs),
    /// Shows boundaries as they are published, corrections marked as such, until Ctrl-C.
    #[command(after_help = AFTER_HELP)]
    Watch(WatchArgs),
    /// Says what is stored of a user, and what may still change.
    #[command(after_help = AFTER_HELP)]
    State(StateArgs),
    /// Draws sessions as a picture (SVG): a lane for each user, a bar for each session.
    #[command(after_help = AFTER_HELP)]
    Timeline(TimelineArgs),
    /// Removes a user from all tables, after asking for confirmation.
    #[command(after_help = AFTER_HELP)]
    Forget(ForgetArgs),
    /// Shows some sessions, users' states and rejected records.
    #[command(after_help = AFTER_HELP)]
    Tables(TablesArgs),
    /// Puts rejected records back into the streams they came from and deletes their items, after asking for
    /// confirmation.
    #[command(after_help = AFTER_HELP)]
    Redrive(RedriveArgs),
    /// Puts click sessions of many users into a stream at a steady rate, after asking for confirmation, and shows what
    /// was accepted and throttled. Ctrl-C ends it early. Every record is billed as one PUT payload unit, and takes its way
    /// through everything that reads the stream.
    #[command(after_help = AFTER_HELP)]
    Produce(ProduceArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SessionsArgs {
    /// A user's id; or the id of a session, if no user of that name has sessions.
    #[arg(value_name = "USER|SESSION", value_parser = user_id)]
    pub(crate) user: UserId,
    /// Takes USER|SESSION for the id of a session: a user's id, _ and a number.
    #[arg(long, conflicts_with = "since")]
    pub(crate) id: bool,
    /// Only sessions that start at T or later: Unix milliseconds, YYYY-MM-DD, YYYY-MM-DD hh:mm:ss (UTC), or a time ago,
    /// such as 90s, 30m, 12h or 7d.
    #[arg(long, value_name = "T", value_parser = time_text::parse)]
    pub(crate) since: Option<EventTime>,
}

#[derive(Debug, Args)]
pub(crate) struct TimelineArgs {
    /// A file of sessions, one JSON object a line, as `sessions --json`, `watch --json` and `local run --sessions` write
    /// them; or, if there is no such file, a user's id.
    #[arg(value_name = "USER|FILE")]
    pub(crate) source: String,
    /// The picture to write.
    #[arg(long, short, value_name = "FILE.svg")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ActiveArgs {
    /// Only sessions with at least so many clicks.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) min_clicks: u64,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Only boundaries of this user.
    #[arg(long, value_name = "USER", value_parser = user_id)]
    pub(crate) user: Option<UserId>,
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The user's id.
    #[arg(value_name = "USER", value_parser = user_id)]
    pub(crate) user: UserId,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The user's id.
    #[arg(value_name = "USER", value_parser = user_id)]
    pub(crate) user: UserId,
    /// Also deletes rejected records in which no user id can be read, if their partition key is the user's. Only for
    /// producers whose partition key is the user's id: anything else may belong to others.
    #[arg(long)]
    pub(crate) by_partition_key: bool,
    /// Shows what would be removed and changes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Skips the confirmation. DANGER: what is removed can be restored from backups only, if at all; and credentials or a
    /// region left over in the environment may belong to another account. Run with --dry-run first.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
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

#[derive(Debug, Args)]
pub(crate) struct ProduceArgs {
    /// The stream's name.
    #[arg(long, value_name = "STREAM")]
    pub(crate) stream: String,
    /// Records a second, 1 to 100000. Late ones, duplicates and broken ones are among them.
    #[arg(long, value_name = "N")]
    pub(crate) rate: u32,
    /// Users, load-1 to load-N: 2 to 1000000. A quarter of the rate times the gap in seconds is enough for sessions of 20
    /// clicks on average; with fewer users, sessions are longer, because others have to click while a user pauses.
    #[arg(long, value_name = "N")]
    pub(crate) users: u32,
    /// The session gap that sessions are made for: a user's clicks are nearer than it, and pauses between sessions are
    /// longer. 1s to 24h; a number without a unit is seconds.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time_text::seconds)]
    pub(crate) gap: u64,
    /// Late clicks, as a percentage of all records: 0 to 90, and together with --duplicate and --broken at most 90.
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    pub(crate) late: Share,
    /// How late these are at most, and at least half of it: 1s to 24h.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time_text::seconds)]
    pub(crate) late_by: u64,
    /// Clicks that are put a second time, each one of the last 100: a percentage like --late.
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    pub(crate) duplicate: Share,
    /// Records that the sessionizer has to reject, for five reasons in turn: a percentage like --late.
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    pub(crate) broken: Share,
    /// For how long, 1s to 24h. This times the rate is the number of records: a stream that throttles makes it take
    /// longer.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time_text::seconds)]
    pub(crate) duration: u64,
    /// Repeats an earlier load: the same users, events, kinds and order, at the present time. Default: at random. The
    /// command shows it.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Skips the confirmation. DANGER: with credentials or a region left over in the environment, this puts the load into
    /// a stream of the wrong account.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// A user's id as the functions take it.
pub(crate) fn user_id(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|invalid| match invalid {
        InvalidUserId::Empty => "it is empty, expected 1 to 256 characters".to_owned(),
        InvalidUserId::TooLong(text) => {
            format!("it has {} characters, more than the limit of 256", text.chars().count())
        }
    })
}
