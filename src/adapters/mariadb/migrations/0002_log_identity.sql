-- Version 2. Which log the positions are of: Kafka gives a topic that is made anew another id.
CREATE TABLE IF NOT EXISTS log_identity (
  topic VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  identity VARBINARY(255) NOT NULL,
  PRIMARY KEY (topic)
) ENGINE=InnoDB;
