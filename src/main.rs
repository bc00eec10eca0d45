//! The `trackless` command: hands arguments and environment to `trackless::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let variable = |name: &str| std::env::var_os(name);
    trackless::cli::run(std::env::args_os().collect(), &variable).into()
}
