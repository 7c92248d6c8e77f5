import { sqlMigration } from "#kit/db/migrate.ts";

export const tasks = sqlMigration(
  "Migration20261121010000_tasks",
  [
    `create table task (
      task_id uuid primary key,
      owner_id uuid not null,
      title text not null,
      description text not null,
      status smallint not null,
      priority smallint not null,
      due_local text,
      due_time_zone text,
      due_instant timestamptz(3),
      parent_task_id uuid,
      label_ids uuid[] not null,
      assignee_ids uuid[] not null,
      recurrence_rrule text,
      recurrence_exdates text[],
      recurrence_from_completion boolean,
      series_id uuid,
      series_index integer,
      create_time timestamptz(3) not null,
      update_time timestamptz(3) not null,
      complete_time timestamptz(3),
      delete_time timestamptz(3),
      revision bigint not null,
      event_sequence bigint not null
    )`,
    "create index task_status on task (status)",
    "create index task_create_time on task (create_time)",
    "create index task_owner_id_status on task (owner_id, status)",
    "create index task_parent on task (parent_task_id) where parent_task_id is not null",
    `create unique index task_series on task (series_id, series_index)
       where series_id is not null and delete_time is null`,
    `create table collaborator (
      task_id uuid not null,
      user_id uuid not null,
      role smallint not null,
      create_time timestamptz(3) not null,
      task_create_time timestamptz(3) not null,
      primary key (task_id, user_id)
    )`,
    "create index collaborator_user_newest on collaborator (user_id, task_create_time, task_id)",
    `create table comment (
      comment_id uuid primary key,
      task_id uuid not null,
      author_id uuid not null,
      text text not null,
      create_time timestamptz(3) not null
    )`,
    "create index comment_task on comment (task_id, create_time, comment_id)",
    `create table label (
      label_id uuid primary key,
      owner_id uuid not null,
      name text not null,
      name_key text not null,
      create_time timestamptz(3) not null
    )`,
    "create unique index label_owner_name on label (owner_id, name_key)",
  ],
  ["drop table label, comment, collaborator, task"],
);
