-- When plugins were installed, for the limit of installs in a day. Older ones are removed with the next.
CREATE TABLE plugin_install (at INTEGER NOT NULL) STRICT;
