-- Names and types are those of SuperTokens' PostgreSQL plugin, so its core and its tools can use the
-- tables. `@` is replaced by schema and prefix, `%` by the prefix. Times are milliseconds since the
-- Unix epoch. Documents are the text of JSON objects: jsonb would not keep order and spelling.

CREATE TABLE IF NOT EXISTS @apps (
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    created_at_time BIGINT,
    CONSTRAINT %apps_pkey PRIMARY KEY (app_id)
);

CREATE TABLE IF NOT EXISTS @tenants (
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    tenant_id VARCHAR(64) NOT NULL DEFAULT 'public',
    created_at_time BIGINT,
    CONSTRAINT %tenants_pkey PRIMARY KEY (app_id, tenant_id),
    CONSTRAINT %tenants_app_id_fkey FOREIGN KEY (app_id) REFERENCES @apps (app_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS @key_value (
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    tenant_id VARCHAR(64) NOT NULL DEFAULT 'public',
    name VARCHAR(128) NOT NULL,
    value TEXT,
    created_at_time BIGINT,
    CONSTRAINT %key_value_pkey PRIMARY KEY (app_id, tenant_id, name),
    CONSTRAINT %key_value_tenant_id_fkey FOREIGN KEY (app_id, tenant_id)
        REFERENCES @tenants (app_id, tenant_id) ON DELETE CASCADE
);

-- Free space on each page lets PostgreSQL update a document on the same page, without an index update.
CREATE TABLE IF NOT EXISTS @session_info (
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    tenant_id VARCHAR(64) NOT NULL DEFAULT 'public',
    session_handle VARCHAR(255) NOT NULL,
    user_id VARCHAR(128) NOT NULL,
    refresh_token_hash_2 VARCHAR(128) NOT NULL,
    session_data TEXT,
    expires_at BIGINT NOT NULL,
    created_at_time BIGINT NOT NULL,
    jwt_user_payload TEXT,
    use_static_key BOOLEAN NOT NULL,
    prev_refresh_token_hash_2 VARCHAR(128),
    refresh_token_rotated_at BIGINT,
    CONSTRAINT %session_info_pkey PRIMARY KEY (app_id, tenant_id, session_handle),
    CONSTRAINT %session_info_tenant_id_fkey FOREIGN KEY (app_id, tenant_id)
        REFERENCES @tenants (app_id, tenant_id) ON DELETE CASCADE
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS @session_access_token_signing_keys (
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    created_at_time BIGINT NOT NULL,
    value TEXT,
    CONSTRAINT %session_access_token_signing_keys_pkey PRIMARY KEY (app_id, created_at_time),
    CONSTRAINT %session_access_token_signing_keys_app_id_fkey FOREIGN KEY (app_id)
        REFERENCES @apps (app_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS @jwt_signing_keys (
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    key_id VARCHAR(255) NOT NULL,
    key_string TEXT NOT NULL,
    algorithm VARCHAR(10) NOT NULL,
    created_at BIGINT,
    CONSTRAINT %jwt_signing_keys_pkey PRIMARY KEY (app_id, key_id),
    CONSTRAINT %jwt_signing_keys_app_id_fkey FOREIGN KEY (app_id) REFERENCES @apps (app_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS @user_metadata (
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    user_id VARCHAR(128) NOT NULL,
    user_metadata TEXT NOT NULL,
    CONSTRAINT %user_metadata_pkey PRIMARY KEY (app_id, user_id),
    CONSTRAINT %user_metadata_app_id_fkey FOREIGN KEY (app_id) REFERENCES @apps (app_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS @tenant_configs (
    connection_uri_domain VARCHAR(256) DEFAULT '',
    app_id VARCHAR(64) DEFAULT 'public',
    tenant_id VARCHAR(64) DEFAULT 'public',
    core_config TEXT,
    email_password_enabled BOOLEAN,
    passwordless_enabled BOOLEAN,
    third_party_enabled BOOLEAN,
    is_first_factors_null BOOLEAN DEFAULT TRUE,
    CONSTRAINT %tenant_configs_pkey PRIMARY KEY (connection_uri_domain, app_id, tenant_id)
);

CREATE TABLE IF NOT EXISTS @tenant_first_factors (
    connection_uri_domain VARCHAR(256) DEFAULT '',
    app_id VARCHAR(64) DEFAULT 'public',
    tenant_id VARCHAR(64) DEFAULT 'public',
    factor_id VARCHAR(128),
    CONSTRAINT %tenant_first_factors_pkey PRIMARY KEY (connection_uri_domain, app_id, tenant_id, factor_id),
    CONSTRAINT %tenant_first_factors_tenant_id_fkey FOREIGN KEY (connection_uri_domain, app_id, tenant_id)
        REFERENCES @tenant_configs (connection_uri_domain, app_id, tenant_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS @tenant_required_secondary_factors (
    connection_uri_domain VARCHAR(256) DEFAULT '',
    app_id VARCHAR(64) DEFAULT 'public',
    tenant_id VARCHAR(64) DEFAULT 'public',
    factor_id VARCHAR(128),
    CONSTRAINT %tenant_secondary_factors_pkey PRIMARY KEY (connection_uri_domain, app_id, tenant_id, factor_id),
    CONSTRAINT %tenant_secondary_factors_fkey FOREIGN KEY (connection_uri_domain, app_id, tenant_id)
        REFERENCES @tenant_configs (connection_uri_domain, app_id, tenant_id) ON DELETE CASCADE
);

-- Not part of SuperTokens' schema: the version of the last migration.
CREATE TABLE IF NOT EXISTS @supersession_schema (
    version INTEGER NOT NULL,
    CONSTRAINT %supersession_schema_pkey PRIMARY KEY (version)
);
