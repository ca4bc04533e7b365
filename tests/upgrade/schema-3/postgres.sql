create table "row_topology" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_replica" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_pool" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_name" text collate "C",
        primary key (pool, key)) ;
create index "row_pool_name" on "row_pool" (pool, "i_name", key);
create table "row_data_key" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_signing_key" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_client" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_name" text collate "C",
        primary key (pool, key)) ;
create index "row_client_key" on "row_client" (key);
create index "row_client_name" on "row_client" (pool, "i_name", key);
create table "row_domain" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create index "row_domain_key" on "row_domain" (key);
create table "row_user" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_username" text collate "C", "i_email" text collate "C", "i_phone_number" text collate "C", "i_name" text collate "C", "i_given_name" text collate "C", "i_family_name" text collate "C", "i_preferred_username" text collate "C", "i_user_status" text collate "C", "i_enabled" text collate "C",
        primary key (pool, key)) ;
create index "row_user_username" on "row_user" (pool, "i_username", key);
create index "row_user_email" on "row_user" (pool, "i_email", key);
create index "row_user_phone_number" on "row_user" (pool, "i_phone_number", key);
create index "row_user_name" on "row_user" (pool, "i_name", key);
create index "row_user_given_name" on "row_user" (pool, "i_given_name", key);
create index "row_user_family_name" on "row_user" (pool, "i_family_name", key);
create index "row_user_preferred_username" on "row_user" (pool, "i_preferred_username", key);
create index "row_user_user_status" on "row_user" (pool, "i_user_status", key);
create index "row_user_enabled" on "row_user" (pool, "i_enabled", key);
create table "row_credential" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_sub" text collate "C",
        primary key (pool, key)) ;
create index "row_credential_sub" on "row_credential" (pool, "i_sub", key);
create table "row_alias" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_sub" text collate "C",
        primary key (pool, key)) ;
create index "row_alias_sub" on "row_alias" (pool, "i_sub", key);
create table "row_code" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_sub" text collate "C",
        primary key (pool, key)) ;
create index "row_code_sub" on "row_code" (pool, "i_sub", key);
create table "row_group" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_member" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null , "i_group_name" text collate "C", "i_sub" text collate "C",
        primary key (pool, key)) ;
create index "row_member_group_name" on "row_member" (pool, "i_group_name", key);
create index "row_member_sub" on "row_member" (pool, "i_sub", key);
create table "row_revocation" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_rotation" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_sign_out" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_settings" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_prefix_domain" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create index "row_prefix_domain_key" on "row_prefix_domain" (key);
create table "row_kms_key" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table "row_kms_alias" (
        pool text collate "C" not null, key text collate "C" not null, body text not null,
        epoch bigint not null, seq bigint not null ,
        primary key (pool, key)) ;
create table changes (
      seq bigint generated by default as identity primary key,
      tx bigint not null, pool text collate "C" not null, kind text not null, key text collate "C" not null,
      epoch bigint not null, body text, fields text, at bigint not null);
create index changes_tx on changes (tx, seq);
create table tombstones (
      pool text collate "C" not null, kind text not null, key text collate "C" not null,
      epoch bigint not null, seq bigint not null, at bigint not null,
      primary key (pool, kind, key));
create table facts (name text primary key, value text not null);
create table cursors (
      peer text primary key, log text not null, position bigint not null, mark text not null, as_of bigint not null);
create table followers (peer text primary key, position bigint not null, at bigint not null);
create table copies (
      pool text collate "C" not null, peer text not null, generation text not null, kind text not null, after text collate "C",
      done bigint not null, total bigint not null, swept bigint not null, started bigint not null, as_of bigint, target bigint,
      witness bigint not null, witness_mark text not null,
      primary key (pool, peer));
create table copy_touched (
      pool text collate "C" not null, kind text not null, key text collate "C" not null, primary key (pool, kind, key));
create unlogged table brakes (
      name text collate "C" primary key, value text not null, expires bigint not null);
create index brakes_expires on brakes (expires);
create table if not exists schema_version (version bigint not null);
