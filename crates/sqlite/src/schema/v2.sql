-- The device that uses a session. These columns are not part of SuperTokens' schema. All are nullable,
-- so its tools can ignore them.

ALTER TABLE session_info ADD COLUMN device_user_agent TEXT;
ALTER TABLE session_info ADD COLUMN device_ip VARCHAR(45);
ALTER TABLE session_info ADD COLUMN device_label TEXT;
ALTER TABLE session_info ADD COLUMN last_seen_at BIGINT;
