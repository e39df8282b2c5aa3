-- Configuration of apps and tenants, in the columns of SuperTokens' `tenant_configs`.

CREATE TABLE tenant_configs (
    connection_uri_domain VARCHAR(256) NOT NULL DEFAULT '',
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    tenant_id VARCHAR(64) NOT NULL DEFAULT 'public',
    core_config TEXT,
    email_password_enabled BOOLEAN,
    passwordless_enabled BOOLEAN,
    third_party_enabled BOOLEAN,
    is_first_factors_null BOOLEAN,
    PRIMARY KEY (connection_uri_domain, app_id, tenant_id),
    FOREIGN KEY (app_id, tenant_id) REFERENCES tenants (app_id, tenant_id) ON DELETE CASCADE
);

CREATE TABLE tenant_first_factors (
    connection_uri_domain VARCHAR(256) NOT NULL DEFAULT '',
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    tenant_id VARCHAR(64) NOT NULL DEFAULT 'public',
    factor_id VARCHAR(128) NOT NULL,
    PRIMARY KEY (connection_uri_domain, app_id, tenant_id, factor_id),
    FOREIGN KEY (connection_uri_domain, app_id, tenant_id)
        REFERENCES tenant_configs (connection_uri_domain, app_id, tenant_id) ON DELETE CASCADE
);

CREATE TABLE tenant_required_secondary_factors (
    connection_uri_domain VARCHAR(256) NOT NULL DEFAULT '',
    app_id VARCHAR(64) NOT NULL DEFAULT 'public',
    tenant_id VARCHAR(64) NOT NULL DEFAULT 'public',
    factor_id VARCHAR(128) NOT NULL,
    PRIMARY KEY (connection_uri_domain, app_id, tenant_id, factor_id),
    FOREIGN KEY (connection_uri_domain, app_id, tenant_id)
        REFERENCES tenant_configs (connection_uri_domain, app_id, tenant_id) ON DELETE CASCADE
);
