//! What `sslmode` means.

use supersession_postgres::{OpenErrorKind, PostgresOptions, PostgresStore};
use supersession_testkit::servers::{Certificates, PostgresServer};

use crate::{chain, connect, insert};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sslmode_says_whether_to_encrypt_and_whom_to_trust() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(own) = Certificates::make(folder.path()) else {
        return;
    };
    let foreign = Certificates::make(other.path()).unwrap();
    let (authority, other_authority) = (own.authority_pem(), foreign.authority_pem());
    let Some(server) = PostgresServer::start_encrypted(&own.certificate, &own.key) else {
        return;
    };
    let with = |mode: &str| -> PostgresOptions {
        PostgresStore::options().url(format!("{}?sslmode={mode}", server.url()))
    };
    // Whether all connections of the store are.
    let is_encrypted = async |options: PostgresOptions| {
        let store = options.open().await.unwrap();
        insert(&store, &format!("{:?}", std::time::Instant::now())).await;
        let other = connect(&server.socket_url()).await;
        let ssl = "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
            WHERE a.application_name = 'supersession'";
        let row = other.query_one(ssl, &[]).await.unwrap();
        drop(store);
        while other
            .query_one(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'supersession'",
                &[],
            )
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {
            tokio::task::yield_now().await;
        }
        row.get::<_, bool>(0)
    };
    assert!(!is_encrypted(with("disable")).await);
    assert!(is_encrypted(with("prefer")).await);
    let verified = with("require").root_certificates(authority.clone());
    assert!(is_encrypted(verified).await);
    for verified in ["verify-full", "require", "prefer"] {
        let url = format!("{verified}&sslrootcert={}", own.authority.display());
        assert!(is_encrypted(with(&url)).await, "{verified}");
    }
    // What the program says counts.
    let url = format!("verify-full&sslrootcert={}", foreign.authority.display());
    assert!(is_encrypted(with(&url).root_certificates(authority.clone())).await);
    for refused in ["verify-ca", "prefer&sslrootcert=system"] {
        let error = with(refused).open().await.unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::WeakSslMode);
        assert!(error.to_string().contains("sslmode=verify-full"), "{error}");
    }
    let missing = with("verify-full&sslrootcert=/nowhere.pem").open().await;
    let error = missing.unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Certificates);
    assert!(chain(&error).contains("/nowhere.pem"), "{}", chain(&error));
    // An authority that is not trusted, by the system or by what was given.
    for options in [
        with("require"),
        with("verify-full"),
        with("verify-full&sslrootcert=system"),
        with(&url),
        with("require").root_certificates(other_authority.clone()),
        with("prefer").root_certificates(other_authority),
    ] {
        let error = options.open().await.unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::Unreachable);
        let text = chain(&error);
        assert!(text.contains("certificate"), "{text}");
    }
    // A certificate for another name.
    let url = with("require").url(
        server
            .url()
            .replace("127.0.0.1", "localhost")
            .replace("/postgres", "/postgres?sslmode=require"),
    );
    let error = url.root_certificates(authority).open().await.unwrap_err();
    assert!(chain(&error).contains("certificate"), "{}", chain(&error));
    let url = server.url().replace("127.0.0.1", "localhost");
    let file = own.authority.display();
    let url = format!("{url}?sslmode=verify-full&sslrootcert={file}");
    let error = PostgresStore::open(url).await.unwrap_err();
    assert!(chain(&error).contains("certificate"), "{}", chain(&error));
    for none in ["", "nonsense"] {
        let options = with("require").root_certificates(none);
        let error = options.open().await.unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::Certificates);
    }
}

#[tokio::test]
async fn a_server_without_tls_is_preferred_plain_and_required_not_at_all() {
    let Some(server) = crate::server() else {
        return;
    };
    let with = |mode: &str| format!("{}?sslmode={mode}", server.url());
    let place = crate::Place::new(server);
    let plain = place.options().url(with("prefer")).open().await.unwrap();
    insert(&plain, "h").await;
    let error = place
        .options()
        .url(with("require"))
        .open()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Unreachable);
    assert!(error.to_string().contains("sslmode"));
}
