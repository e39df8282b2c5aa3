//! Any other program that must end with its test.

use std::fs;
use std::path::{Path, PathBuf};

use super::process::{Guarded, is_running, signal, wait_until};

/// A program that a test runs in a process of its own, and that it can kill and suspend. It ends
/// when this value is dropped, and when the test binary ends, however it ends.
pub struct Program {
    guarded: Option<Guarded>,
    directory: PathBuf,
}

impl Program {
    /// Starts `command` with these environment variables. Its output goes to the file `log` in the
    /// directory, which is kept.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn start(directory: &Path, variables: &[(&str, String)], command: &[String]) -> Self {
        // `env` replaces itself with the program, so the process id is the program's.
        let variables = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let whole: Vec<_> = std::iter::once("env".to_owned())
            .chain(variables)
            .chain(command.iter().cloned())
            .collect();
        Self {
            guarded: Some(Guarded::start(directory, "KILL", &whole)),
            directory: directory.to_owned(),
        }
    }

    /// Kills the program immediately.
    pub fn kill(&mut self) {
        if let Some(guarded) = self.guarded.take() {
            let pid = guarded.pid;
            signal("KILL", &[pid]);
            guarded.stop();
            wait_until("the program's end", || !is_running(pid));
        }
    }

    /// Suspends the program and waits until it is suspended.
    pub fn freeze(&self) {
        let pid = self.pid();
        signal("STOP", &[pid]);
        wait_until("the program to stop", || is_stopped(pid));
    }

    /// Resumes the program.
    pub fn thaw(&self) {
        signal("CONT", &[self.pid()]);
    }

    /// Returns `true` while the program runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.guarded
            .as_ref()
            .is_some_and(|guarded| is_running(guarded.pid))
    }

    /// Returns the program's output.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn pid(&self) -> u32 {
        self.guarded.as_ref().unwrap().pid
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").finish_non_exhaustive()
    }
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()[0]);
    state == Some(b'T')
}
