-- Whether all that was taken of a file was seen to be still there after it last grew: what was not is read again.
ALTER TABLE files ADD COLUMN checked INTEGER NOT NULL DEFAULT 1;
