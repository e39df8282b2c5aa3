//! Cost of verifying one token on one thread.

mod caches;
mod claims;

use anyhow::Context as _;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bench_harness::{Race, Table, Turn, count, nanos, ratio, take_turns};
use supersession::store::MemoryStore;
use supersession::{AccessToken, VerifyOptions, wire};

use crate::context::Context;
use crate::facts::Facts;
use crate::ours::{CACHE, NO_CACHE, Ours};
use crate::view::{View, at_once};

pub(crate) use claims::Decoder;

const FLOOR: &str = "aws-lc-rs RSA-2048, parsed key: the floor";
const UNCACHED: &str = "**ours, uncached**";
const HOT: &str = "**ours, cached, one hot token**";
const MANY: &str = "**ours, cached, 10 000 tokens in turn**";

/// The cases: the name in the table, and the arguments on the command line.
const CASES: [(&str, &[&str]); 12] = [
    (FLOOR, &["floor"]),
    ("jsonwebtoken 11, whole decode", &["jsonwebtoken"]),
    (UNCACHED, &["token", "anew"]),
    (
        "**ours, uncached, whole request**",
        &["request", "anew"],
    ),
    (HOT, &["token", "hot"]),
    (
        "**ours, cached, one hot token, whole request**",
        &["request", "hot"],
    ),
    (MANY, &["token", "many"]),
    (
        "**ours, cached, 10 000 tokens in turn, whole request**",
        &["request", "many"],
    ),
    ("quick_cache, one hot token", &["quick_cache", "hot"]),
    (
        "quick_cache, 10 000 tokens in turn",
        &["quick_cache", "many"],
    ),
    ("moka, one hot token", &["moka", "hot"]),
    ("moka, 10 000 tokens in turn", &["moka", "many"]),
];

const TOKENS: usize = 10_000;

/// Prints the table.
pub(crate) fn run(context: &Context, facts: &mut Facts) -> anyhow::Result<()> {
    let racers = CASES
        .iter()
        .map(|(name, arguments)| context.timed(name, context.command("primitives", arguments)))
        .collect::<anyhow::Result<_>>()?;
    let race = Race::run(racers, context.rounds())?;
    let mut table = Table::new(
        "Verifying a token",
        &[
            "case",
            "CPU ns",
            "p10..p90",
            "against the floor",
            "allocations",
            "bytes",
        ],
    );
    for name in race.names() {
        let time = race.spread(name, Turn::cpu_nanos_each);
        table.row([
            name.to_owned(),
            nanos(time.median),
            format!("{}..{}", nanos(time.p10), nanos(time.p90)),
            ratio(race.ratio(name, FLOOR, Turn::cpu_nanos_each)),
            count(race.spread(name, Turn::allocations_each).median),
            count(race.spread(name, Turn::bytes_each).median),
        ]);
    }
    table.note(
        "Processor time, which other programs on the machine do not stretch. A whole request is `for_request`, `read` and `verify` over a slice of headers; without it, \
         `verify_access_token`. The two caches look a token up by all of its bytes, clone an `Arc` of \
         claims and read their expiry; they verify nothing.",
    );
    println!("{table}");
    facts.note(
        "uncached.ratio",
        race.ratio(UNCACHED, FLOOR, Turn::cpu_nanos_each).median,
    );
    facts.note(
        "uncached.allocations",
        race.spread(UNCACHED, Turn::allocations_each).median,
    );
    facts.note("hit.hot", race.spread(HOT, Turn::cpu_nanos_each).median);
    facts.note("hit.many", race.spread(MANY, Turn::cpu_nanos_each).median);
    Ok(())
}

/// Runs one case.
pub(crate) fn case(case: &str, arguments: &[&str]) -> anyhow::Result<()> {
    // A multi-threaded runtime, so that the tokens are created on all cores.
    let runtime = tokio::runtime::Runtime::new()?;
    let how = arguments.first().copied().unwrap_or_default();
    let count = if how == "many" { TOKENS } else { 1 };
    match case {
        "moka" => return caches::moka(count),
        "quick_cache" => return caches::quick_cache(count),
        _ => {}
    }
    let cache = if how == "anew" { NO_CACHE } else { CACHE };
    let ours = runtime.block_on(Ours::open(MemoryStore::new(), cache))?;
    let tokens = runtime.block_on(ours.tokens(count))?;
    match case {
        "floor" => floor(&ours, &tokens),
        "jsonwebtoken" => jsonwebtoken(&runtime.block_on(Decoder::of(&ours))?, &tokens),
        "token" => token(&ours, &tokens),
        "request" => request(&ours, &tokens),
        _ => anyhow::bail!("there is no case {case}"),
    }
}

fn floor(ours: &Ours, tokens: &[String]) -> anyhow::Result<()> {
    let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &ours.public)?;
    let token = tokens.first().context("there is a token")?;
    let (signed, signature) = token.rsplit_once('.').context("a signed token")?;
    let signature = URL_SAFE_NO_PAD.decode(signature)?;
    take_turns(|operations| {
        for _ in 0..operations {
            key.verify_sig(signed.as_bytes(), &signature)
                .expect("the signature is right");
        }
    })
}

fn jsonwebtoken(decoder: &Decoder, tokens: &[String]) -> anyhow::Result<()> {
    let token = tokens.first().context("there is a token")?;
    take_turns(|operations| {
        for _ in 0..operations {
            let claims = decoder.decode(token).expect("the token is right");
            std::hint::black_box(&claims);
        }
    })
}

fn token(ours: &Ours, tokens: &[String]) -> anyhow::Result<()> {
    let tokens: Vec<_> = tokens.iter().map(AccessToken::new).collect();
    let options = VerifyOptions::new();
    // Fills the cache, if the case has one.
    for token in &tokens {
        let verified = at_once(ours.sessions.verify_access_token(token, None, &options));
        verified.expect("the token is right");
    }
    let mut in_turn = tokens.iter().cycle();
    take_turns(|operations| {
        for token in in_turn
            .by_ref()
            .take(usize::try_from(operations).expect("64 bits"))
        {
            let verified = at_once(ours.sessions.verify_access_token(token, None, &options));
            let session = verified.expect("the token is right").expect("required");
            std::hint::black_box(session.user_id());
        }
    })
}

fn request(ours: &Ours, tokens: &[String]) -> anyhow::Result<()> {
    let bearers: Vec<_> = tokens
        .iter()
        .map(|token| format!("Bearer {token}"))
        .collect();
    let options = VerifyOptions::new();
    for token in tokens.iter().map(AccessToken::new) {
        let verified = at_once(ours.sessions.verify_access_token(&token, None, &options));
        verified.expect("the token is right");
    }
    let mut in_turn = bearers.iter().cycle();
    take_turns(|operations| {
        for bearer in in_turn
            .by_ref()
            .take(usize::try_from(operations).expect("64 bits"))
        {
            let headers: [(&str, &[u8]); 3] = [
                ("host", b"api.example.com"),
                ("accept", b"application/json"),
                (wire::AUTHORIZATION_HEADER, bearer.as_bytes()),
            ];
            let request = ours.sessions.for_request("GET", "/orders");
            request.read(&View(&headers));
            let verified = at_once(request.verify(&options));
            let session = verified.expect("the token is right").expect("required");
            std::hint::black_box(session.user_id());
        }
    })
}
