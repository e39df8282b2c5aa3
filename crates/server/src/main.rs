//! The program: reads options, opens the store, listens, and stops when it is told to.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use supersession::{Fault, SystemClock, SystemEntropy};
use supersession_server::options::{LogFormat, LogLevel, Options};
use supersession_server::{Bound, Service, serve};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.probe {
        return match options.ask_readiness() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(io::stderr(), "supersession: {error}");
                ExitCode::FAILURE
            }
        };
    }
    log_to_stderr(&options);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = options.max_server_pool_size {
        runtime.worker_threads(threads.max(1));
    }
    let outcome = runtime
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(&options)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Also where nothing is logged: whoever starts a program must hear why it is not there.
            let _ = writeln!(io::stderr(), "supersession: {}", report(&*failure));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Failure> {
    let url = options.store_url()?;
    let service_options = options.service_options()?;
    // Before anything is opened: a process that is told to stop while it starts must not hang.
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let addresses = tokio::net::lookup_host((options.host.as_str(), options.port))
        .await
        .map_err(|error| format!("--host {} cannot be resolved: {error}", options.host))?;
    let address = addresses
        // What SDKs call localhost is an IPv4 address first.
        .min_by_key(std::net::SocketAddr::is_ipv6)
        .ok_or_else(|| format!("--host {} has no address", options.host))?;
    let store = url.open(&options.store_options()).await?;
    let service = Service::open(
        store,
        service_options,
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
    .await?;
    options.check_exposure(address.ip(), service.is_guarded())?;
    let service = Arc::new(service);
    let bound = Bound::to(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    tracing::info!(address = %bound.address(), store = ?url, version = env!("CARGO_PKG_VERSION"), "listening");
    let warming = Arc::clone(&service);
    tokio::spawn(async move {
        if let Err(fault) = warming.warm_up().await {
            tracing::warn!(error = fault.report(), "the signing keys are not there yet");
        }
    });
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests that are under way are finished");
    };
    if serve(bound, service, options.serve_options(), stop).await {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped; some requests did not finish in time");
    }
    Ok(())
}

fn log_to_stderr(options: &Options) {
    let level = match options.log_level {
        LogLevel::None => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr);
    match options.log_format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

fn report(failure: &(dyn Error + Send + Sync + 'static)) -> String {
    if let Some(fault) = failure.downcast_ref::<Fault>() {
        return fault.report();
    }
    let mut text = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
