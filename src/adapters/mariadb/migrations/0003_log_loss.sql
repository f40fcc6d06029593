-- Version 3. When the event log was found to have lost its data: of what was stored before, the rows alone tell.
CREATE TABLE IF NOT EXISTS log_loss (
  topic VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  campaign_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  epoch INT UNSIGNED NOT NULL,
  noted_at BIGINT NOT NULL,
  PRIMARY KEY (topic, campaign_id, epoch)
) ENGINE=InnoDB;
