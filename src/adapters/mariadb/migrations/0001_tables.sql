-- Version 1. Every statement can be told again: a CREATE commits by itself, so that a program killed in the middle
-- leaves some of the tables. What the columns mean is in docs/data_format.md.
-- Ids compare byte by byte. Times are microseconds since 1970 UTC.
CREATE TABLE IF NOT EXISTS campaign (
  id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  coupon_limit BIGINT UNSIGNED NOT NULL,
  starts_at BIGINT NULL,
  ends_at BIGINT NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  strategy VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  durability VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  revision INT UNSIGNED NOT NULL,
  epoch INT UNSIGNED NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS campaign_revision (
  campaign_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  revision INT UNSIGNED NOT NULL,
  name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  coupon_limit BIGINT UNSIGNED NOT NULL,
  starts_at BIGINT NULL,
  ends_at BIGINT NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  strategy VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  durability VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  epoch INT UNSIGNED NOT NULL,
  created_at BIGINT NOT NULL,
  published TINYINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (campaign_id, revision),
  KEY campaign_revision_published (published, campaign_id, revision)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS coupon_issued_user (
  campaign_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sequence BIGINT UNSIGNED NOT NULL,
  code BINARY(10) NOT NULL,
  epoch INT UNSIGNED NOT NULL,
  revision INT UNSIGNED NOT NULL,
  refilled TINYINT UNSIGNED NOT NULL,
  decided_at BIGINT NOT NULL,
  PRIMARY KEY (campaign_id, user_id),
  UNIQUE KEY coupon_sequence (campaign_id, sequence),
  UNIQUE KEY coupon_code (code)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS coupon_watermark (
  campaign_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  watermark BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (campaign_id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS redemption (
  code BINARY(10) NOT NULL,
  idempotency_key VARBINARY(128) NOT NULL,
  redeemed_at BIGINT NOT NULL,
  PRIMARY KEY (code)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS worker_offset (
  topic VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  partition_no INT UNSIGNED NOT NULL,
  position BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (topic, partition_no)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS dead_letter (
  topic VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  partition_no INT UNSIGNED NOT NULL,
  position BIGINT UNSIGNED NOT NULL,
  campaign_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  reason VARBINARY(1000) NOT NULL,
  payload MEDIUMBLOB NOT NULL,
  PRIMARY KEY (topic, partition_no, position)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS epoch_fence (
  topic VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  campaign_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  epoch INT UNSIGNED NOT NULL,
  partition_no INT UNSIGNED NOT NULL,
  end_position BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (topic, campaign_id, epoch, partition_no)
) ENGINE=InnoDB;

-- One row. A worker's transaction holds it shared, a recovery that notes a fence alone; `generation` counts fences.
CREATE TABLE IF NOT EXISTS fence_lock (
  one TINYINT UNSIGNED NOT NULL,
  generation BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (one)
) ENGINE=InnoDB;
INSERT INTO fence_lock SELECT 1, 0 FROM (SELECT 1) AS nothing WHERE NOT EXISTS (SELECT 1 FROM fence_lock);

-- Strategy db-lock: the row that its decisions lock, and what is decided but not yet in the log.
CREATE TABLE IF NOT EXISTS stock (
  campaign_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  coupon_limit BIGINT UNSIGNED NOT NULL,
  starts_at BIGINT NULL,
  ends_at BIGINT NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  strategy VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  durability VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  revision INT UNSIGNED NOT NULL,
  epoch INT UNSIGNED NOT NULL,
  created_at BIGINT NOT NULL,
  issued BIGINT UNSIGNED NOT NULL,
  pending BIGINT UNSIGNED NOT NULL,
  held_since BIGINT NULL,
  held_by VARBINARY(32) NOT NULL DEFAULT '',
  taken_over TINYINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (campaign_id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS stock_pending (
  campaign_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sequence BIGINT UNSIGNED NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (campaign_id, sequence),
  KEY stock_pending_since (since)
) ENGINE=InnoDB;
