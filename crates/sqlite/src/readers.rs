//! The threads that read. Each has a connection that cannot write; all are fed by one queue.
//!
//! A read sees what was committed when it began. A writer is answered after its commit, so whoever
//! has an answer reads their own write.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::job::{Job, Queue, Threads, Workers};

/// The most reads that wait; callers beyond that wait for room.
const QUEUE_CAPACITY: usize = 1_024;

type Waiting = Arc<Mutex<mpsc::Receiver<Box<dyn Job>>>>;

pub(crate) fn start(connections: Vec<Connection>) -> std::io::Result<Workers> {
    // Declared before the queue, and so dropped after it if a thread cannot be started.
    let mut threads = Threads::default();
    let (queue, waiting) = Queue::bounded(QUEUE_CAPACITY);
    let waiting = Arc::new(Mutex::new(waiting));
    for (number, connection) in connections.into_iter().enumerate() {
        let waiting = Arc::clone(&waiting);
        threads.spawn(&format!("sqlite-reader-{number}"), move || {
            read_until_closed(&connection, &waiting);
        })?;
    }
    Ok(Workers::new(queue, threads))
}

fn read_until_closed(connection: &Connection, waiting: &Waiting) {
    while let Some(mut job) = next(waiting) {
        job.run(connection);
        job.answer();
    }
}

fn next(waiting: &Waiting) -> Option<Box<dyn Job>> {
    waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .blocking_recv()
}
