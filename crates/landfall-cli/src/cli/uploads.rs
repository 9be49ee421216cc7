//! What `uploads` takes.

use super::transfer::Transfer;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  landfall uploads list
  landfall uploads resume                       all that were begun to the same remote
  landfall uploads forget 1a2b3c4d5e6f",
    after_help = "\
The command that began an upload goes on with it as well."
)]
pub(crate) enum Uploads {
    /// List uploads that were begun and not finished, oldest first
    #[command(before_help = "Example:\n  landfall uploads list")]
    List,
    /// Go on with unfinished uploads to this remote
    Resume(ResumeUploads),
    /// Forget an unfinished upload; what the service holds of it expires there
    Forget(ForgetUpload),
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  landfall uploads resume                       all that were begun to the same remote
  landfall uploads resume 1a2b3c4d5e6f")]
pub(crate) struct ResumeUploads {
    /// Those to go on with [default: all]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) transfer: Transfer,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Example:
  landfall uploads forget 1a2b3c4d5e6f          `landfall uploads list` has the ids")]
pub(crate) struct ForgetUpload {
    /// Those to forget
    #[arg(required = true)]
    pub(crate) ids: Vec<String>,
}
