import { type Dashboard, latency, lines, table } from "../model.ts";

const group = 'messaging_consumer_group_name=~"$group"';

const consumers: Dashboard = {
  uid: "consumers",
  title: "Kafka and consumers",
  variables: ["group"],
  panels: [
    lines(
      "Lag by topic, as consumers see it",
      "short",
      [
        {
          expr: `sum by (messaging_consumer_group_name, messaging_destination_name) (taskmesh_consumer_lag{${group}})`,
          legend: "{{messaging_consumer_group_name}} {{messaging_destination_name}}",
        },
      ],
      { warnAbove: 100 },
    ),
    lines(
      "Lag by topic, as Kafka sees it",
      "short",
      [
        {
          expr: 'sum by (consumergroup, topic) (kafka_consumergroup_lag{consumergroup=~"$group"})',
          legend: "{{consumergroup}} {{topic}}",
        },
      ],
      { warnAbove: 100 },
    ),
    table(
      "Who owns which partition",
      "short",
      `sum by (messaging_consumer_group_name, messaging_destination_name, messaging_destination_partition_id, instance) (taskmesh_consumer_assigned{${group},messaging_destination_name!~".*retry.*"})`,
    ),
    lines("Partitions by owner", "short", [
      {
        expr: `sum by (messaging_consumer_group_name, instance) (taskmesh_consumer_assigned{${group}})`,
        legend: "{{messaging_consumer_group_name}} {{instance}}",
      },
      { expr: 'kafka_consumergroup_members{consumergroup=~"$group"}', legend: "{{consumergroup}} members" },
    ]),
    lines("Events handled", "ops", [
      {
        expr: `sum by (messaging_consumer_group_name, taskmesh_event_outcome) (rate(messaging_process_duration_count{${group}}[$__rate_interval]))`,
        legend: "{{messaging_consumer_group_name}} {{taskmesh_event_outcome}}",
      },
    ]),
    latency("Time of the handlers", "messaging_process_duration", `{${group}}`, ["messaging_consumer_group_name"]),
    latency("From the occurrence to the effect", "taskmesh_event_age", `{${group}}`, ["messaging_consumer_group_name"]),
    lines("Retries, dead letters, redrives and duplicates", "ops", [
      {
        expr: `sum by (messaging_consumer_group_name, taskmesh_event_attempt) (rate(taskmesh_event_retries_total{${group}}[$__rate_interval]))`,
        legend: "{{messaging_consumer_group_name}} retry {{taskmesh_event_attempt}}",
      },
      {
        expr: `sum by (messaging_consumer_group_name, error_type) (rate(taskmesh_event_dead_letters_total{${group}}[$__rate_interval]))`,
        legend: "{{messaging_consumer_group_name}} dead: {{error_type}}",
      },
      {
        expr: `sum by (messaging_consumer_group_name) (rate(taskmesh_event_redriven_total{${group}}[$__rate_interval]))`,
        legend: "{{messaging_consumer_group_name}} sent back",
      },
      {
        expr: `sum by (messaging_consumer_group_name) (rate(taskmesh_event_duplicates_total{${group}}[$__rate_interval]))`,
        legend: "{{messaging_consumer_group_name}} duplicates",
      },
    ]),
    lines(
      "Dead letters that wait to be sent back",
      "short",
      [
        {
          expr: `max by (messaging_consumer_group_name) (taskmesh_event_dead_letters_waiting{${group}})`,
          legend: "{{messaging_consumer_group_name}}",
        },
      ],
      { warnAbove: 1 },
    ),
    lines("Events under way", "short", [
      {
        expr: `sum by (messaging_consumer_group_name) (taskmesh_consumer_in_flight{${group}})`,
        legend: "{{messaging_consumer_group_name}}",
      },
    ]),
    lines("Progress", "ops", [
      {
        expr: `sum by (messaging_consumer_group_name, messaging_destination_name) (deriv(taskmesh_consumer_offset{${group}}[$__rate_interval]))`,
        legend: "{{messaging_consumer_group_name}} {{messaging_destination_name}}",
      },
    ]),
  ],
};

const outbox: Dashboard = {
  uid: "outbox",
  title: "Outbox",
  variables: ["service"],
  panels: [
    lines(
      "Age of the oldest unsent event",
      "s",
      [{ expr: 'max by (service) (taskmesh_outbox_lag{service=~"$service"})', legend: "{{service}}" }],
      { warnAbove: 2 },
    ),
    lines("Events sent", "ops", [
      {
        expr: 'sum by (messaging_destination_name) (rate(taskmesh_outbox_sent_total{service=~"$service"}[$__rate_interval]))',
        legend: "{{messaging_destination_name}}",
      },
    ]),
    latency("From the commit until it is sent", "taskmesh_outbox_wait", '{service=~"$service"}'),
    lines("Events in a batch", "short", [
      {
        expr: 'sum by (service) (rate(taskmesh_outbox_batch_sum{service=~"$service"}[$__rate_interval])) / sum by (service) (rate(taskmesh_outbox_batch_count{service=~"$service"}[$__rate_interval]))',
        legend: "{{service}}",
      },
    ]),
    lines("Batches that could not be sent", "ops", [
      {
        expr: 'sum by (service) (rate(taskmesh_outbox_failures_total{service=~"$service"}[$__rate_interval]))',
        legend: "{{service}}",
      },
    ]),
    lines("Active relays (1 for each service)", "short", [
      { expr: 'sum by (service) (taskmesh_outbox_leader{service=~"$service"})', legend: "{{service}}" },
    ]),
  ],
};

const notifications: Dashboard = {
  uid: "notifications",
  title: "Notifications and tasks",
  panels: [
    lines("Deliveries", "ops", [
      {
        expr: "sum by (taskmesh_channel, taskmesh_outcome) (rate(taskmesh_notification_deliveries_total[$__rate_interval]))",
        legend: "{{taskmesh_channel}} {{taskmesh_outcome}}",
      },
    ]),
    lines("Inboxes", "ops", [
      { expr: "sum(rate(taskmesh_notification_created_total[$__rate_interval]))", legend: "entries made" },
      { expr: "sum(rate(taskmesh_notification_read_total[$__rate_interval]))", legend: "entries read" },
    ]),
    lines("Reminders", "ops", [
      { expr: "sum(rate(taskmesh_scheduler_fired_total[$__rate_interval]))", legend: "came" },
      { expr: "sum(rate(taskmesh_scheduler_missed_total[$__rate_interval]))", legend: "dropped as too late" },
      { expr: "sum(rate(taskmesh_task_reminders_total[$__rate_interval]))", legend: "set" },
    ]),
    lines("How late the oldest reminder is", "s", [{ expr: "max(taskmesh_scheduler_lag)", legend: "late" }], {
      warnAbove: 30,
    }),
    lines("Schedulers that lead (1)", "short", [{ expr: "sum(taskmesh_scheduler_leader)", legend: "lead" }]),
    lines("Inboxes watched", "short", [{ expr: "sum(taskmesh_notification_watches)", legend: "watched" }]),
    latency("From the change to the mail", "taskmesh_event_age", '{messaging_consumer_group_name="email"}'),
    lines("Tasks", "ops", [
      { expr: "sum(rate(taskmesh_task_created_total[$__rate_interval]))", legend: "made" },
      { expr: "sum(rate(taskmesh_task_updated_total[$__rate_interval]))", legend: "changed" },
      { expr: "sum(rate(taskmesh_task_completed_total[$__rate_interval]))", legend: "completed" },
      { expr: "sum(rate(taskmesh_task_deleted_total[$__rate_interval]))", legend: "deleted" },
      { expr: "sum(rate(taskmesh_task_shared_total[$__rate_interval]))", legend: "shared" },
      { expr: "sum(rate(taskmesh_task_imported_total[$__rate_interval]))", legend: "imported" },
      { expr: "sum(rate(taskmesh_task_comments_total[$__rate_interval]))", legend: "comments" },
    ]),
    lines("Profiles", "ops", [
      { expr: "sum(rate(taskmesh_user_created_total[$__rate_interval]))", legend: "made" },
      { expr: "sum(rate(taskmesh_user_updated_total[$__rate_interval]))", legend: "changed" },
    ]),
  ],
};

export const eventBoards: readonly Dashboard[] = [consumers, outbox, notifications];
