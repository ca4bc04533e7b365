CREATE TABLE schema_version (version bigint not null);
CREATE TABLE "row_topology" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_replica" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_pool" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_name" text ,
        primary key (pool, key)) without rowid;
CREATE INDEX "row_pool_name" on "row_pool" (pool, "i_name", key);
CREATE TABLE "row_data_key" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_signing_key" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_client" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_name" text ,
        primary key (pool, key)) without rowid;
CREATE INDEX "row_client_key" on "row_client" (key);
CREATE INDEX "row_client_name" on "row_client" (pool, "i_name", key);
CREATE TABLE "row_domain" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE INDEX "row_domain_key" on "row_domain" (key);
CREATE TABLE "row_user" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_username" text , "i_email" text , "i_phone_number" text , "i_name" text , "i_given_name" text , "i_family_name" text , "i_preferred_username" text , "i_user_status" text , "i_enabled" text ,
        primary key (pool, key)) without rowid;
CREATE INDEX "row_user_username" on "row_user" (pool, "i_username", key);
CREATE INDEX "row_user_email" on "row_user" (pool, "i_email", key);
CREATE INDEX "row_user_phone_number" on "row_user" (pool, "i_phone_number", key);
CREATE INDEX "row_user_name" on "row_user" (pool, "i_name", key);
CREATE INDEX "row_user_given_name" on "row_user" (pool, "i_given_name", key);
CREATE INDEX "row_user_family_name" on "row_user" (pool, "i_family_name", key);
CREATE INDEX "row_user_preferred_username" on "row_user" (pool, "i_preferred_username", key);
CREATE INDEX "row_user_user_status" on "row_user" (pool, "i_user_status", key);
CREATE INDEX "row_user_enabled" on "row_user" (pool, "i_enabled", key);
CREATE TABLE "row_credential" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_sub" text ,
        primary key (pool, key)) without rowid;
CREATE INDEX "row_credential_sub" on "row_credential" (pool, "i_sub", key);
CREATE TABLE "row_alias" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_sub" text ,
        primary key (pool, key)) without rowid;
CREATE INDEX "row_alias_sub" on "row_alias" (pool, "i_sub", key);
CREATE TABLE "row_code" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_sub" text ,
        primary key (pool, key)) without rowid;
CREATE INDEX "row_code_sub" on "row_code" (pool, "i_sub", key);
CREATE TABLE "row_group" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_member" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_group_name" text , "i_sub" text ,
        primary key (pool, key)) without rowid;
CREATE INDEX "row_member_group_name" on "row_member" (pool, "i_group_name", key);
CREATE INDEX "row_member_sub" on "row_member" (pool, "i_sub", key);
CREATE TABLE "row_revocation" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_rotation" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_sign_out" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_settings" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_prefix_domain" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE INDEX "row_prefix_domain_key" on "row_prefix_domain" (key);
CREATE TABLE "row_kms_key" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE "row_kms_alias" (
        pool text  not null, key text  not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) without rowid;
CREATE TABLE changes (
      seq integer primary key autoincrement,
      tx bigint not null, pool text  not null, kind text not null, key text  not null,
      epoch bigint not null, body text, fields text, at bigint not null);
CREATE INDEX changes_tx on changes (tx, seq);
CREATE TABLE tombstones (
      pool text  not null, kind text not null, key text  not null,
      epoch bigint not null, seq bigint not null, at bigint not null,
      primary key (pool, kind, key));
CREATE TABLE facts (name text primary key, value text not null);
CREATE TABLE cursors (
      peer text primary key, log text not null, position bigint not null, mark text not null, as_of bigint not null);
CREATE TABLE followers (peer text primary key, position bigint not null, at bigint not null);
CREATE TABLE copies (
      pool text  not null, peer text not null, generation text not null, kind text not null, after text ,
      done bigint not null, total bigint not null, swept bigint not null, started bigint not null, as_of bigint, target bigint,
      witness bigint not null, witness_mark text not null,
      primary key (pool, peer));
CREATE TABLE copy_touched (
      pool text  not null, kind text not null, key text  not null, primary key (pool, kind, key));
CREATE TABLE brakes (
      name text  primary key, value text not null, expires bigint not null);
CREATE INDEX brakes_expires on brakes (expires);
