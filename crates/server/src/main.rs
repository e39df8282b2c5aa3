//! The program: parses options, opens the store, serves requests, and shuts down on a signal.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use supersession_server::options::{LogFormat, Options};
use supersession_server::{Reserved, Start, report, serve};
use tokio::signal::unix::{SignalKind, signal};
use tracing::instrument::WithSubscriber as _;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let options = Options::read();
    if options.probe {
        return match options.probe_readiness() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(io::stderr(), "supersession: {error}");
                ExitCode::FAILURE
            }
        };
    }
    if let Err(error) = tracing::dispatcher::set_global_default(events(&options, true)) {
        let _ = writeln!(io::stderr(), "supersession: {error}");
    }
    // While the server waits for a store, each failed attempt would be logged as an error. These
    // errors are hidden, and the wait is logged once.
    let quiet = events(&options, false);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = options.max_server_pool_size {
        runtime.worker_threads(threads);
    }
    let outcome = runtime
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(&options, quiet)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Printed even if logging is off: the operator must learn why the program stopped.
            let _ = writeln!(io::stderr(), "supersession: {}", report(&*failure));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options, quiet: Dispatch) -> Result<(), Failure> {
    options.check_environment()?;
    let (url, store_options) = options.store()?;
    let service_options = options.service_options()?;
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let mut stop = Box::pin(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    let addresses = tokio::net::lookup_host((options.host.as_str(), options.port))
        .await
        .map_err(|error| format!("--host {} cannot be resolved: {error}", options.host))?;
    let address = addresses
        // SDKs resolve `localhost` to an IPv4 address first.
        .min_by_key(std::net::SocketAddr::is_ipv6)
        .ok_or_else(|| format!("--host {} has no address", options.host))?;
    options.check_exposure(address.ip(), service_options.is_guarded())?;
    let cannot_listen = |error| format!("cannot listen on {address}: {error}");
    // All checks run before the store is opened, because opening it may create a file.
    let reserved = Reserved::at(address).map_err(cannot_listen)?;
    let mut start = Start::new(url, service_options);
    start.store = store_options;
    start.wait = options.store_wait();
    let service = tokio::select! {
        service = start.open().with_subscriber(quiet) => Arc::new(service?),
        () = &mut stop => return Ok(()),
    };
    let bound = reserved.listen().map_err(cannot_listen)?;
    tracing::info!(address = %bound.address(), store = ?start.url, version = env!("CARGO_PKG_VERSION"), "listening");
    let warming = Arc::clone(&service);
    tokio::spawn(async move {
        if let Err(fault) = warming.warm_up().await {
            tracing::warn!(
                error = fault.report(),
                "the signing keys could not be loaded"
            );
        }
    });
    let stop = async move {
        stop.await;
        tracing::info!("stopping: requests in flight are completed first");
    };
    if serve(bound, service, options.serve_options(), stop).await {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped; some requests did not finish in time");
    }
    Ok(())
}

/// Logs events to standard error. If `errors` is `false`, events of the level ERROR are omitted.
fn events(options: &Options, errors: bool) -> Dispatch {
    let level = LevelFilter::from(options.log_level);
    let enabled = filter_fn(move |event| {
        *event.level() <= level && (errors || *event.level() != Level::ERROR)
    });
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match options.log_format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        _ => layer.with_ansi(false).boxed(),
    };
    let layer = layer.with_filter(enabled.with_max_level_hint(level));
    Dispatch::new(tracing_subscriber::registry().with(layer))
}
