import type { JsonObject } from "@bufbuild/protobuf";

const ids = {
  ann: "01932f4e-5c00-7000-8000-3f6a1c2b4d5e",
  bob: "01932f4e-5c01-7000-8000-9b1d7e4fa210",
  task: "01932f53-21a4-7000-8000-5d0c3e8f6a77",
};
const earlier = "2026-11-23T09:00:00Z";
const later = "2026-11-23T09:05:00Z";
const hut = { latitude: 46.5775, longitude: 8.0047 };
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

const notification = {
  notificationId: "01932f58-3e21-7000-8000-44d8f1b0c6ea",
  type: "NOTIFICATION_TYPE_TASK_SHARED",
  title: "Ann shared a task with you",
  body: "Book the night train to Zürich",
  taskId: ids.task,
  createTime: later,
  traceId,
};

// The keys of RFC 8291 section 5 and RFC 8292 section 2.4.
const browser = {
  pushKey: "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs",
  keys: {
    p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    auth: "BTBZMqHH6r4Tts7J_aSIgg",
  },
};

const deliveryId = "01932f58-3e2c-7000-8000-7d1e90b4c358";
const webhook = {
  webhookId: "01932f57-6a10-7000-8000-c2f84b7e19d0",
  displayName: "Home automation",
  url: "https://hooks.example.com/taskmesh",
  types: ["NOTIFICATION_TYPE_TASK_SHARED"],
  state: "STATE_ENABLED",
  createTime: earlier,
  updateTime: earlier,
  etag: "1-0-0",
};

/**
 * What the examples tell of: Ann, Bob and a journey. By component; in answers, plain fields that are not named are
 * zero. A message that is not here shows the values that its rules and comments give.
 */
export const samples: Readonly<Record<string, JsonObject>> = {
  "auth.v1.RegisterRequest": { email: "ann@example.com", password: "correct horse battery", displayName: "Ann" },
  "auth.v1.LoginRequest": { email: "ann@example.com", password: "correct horse battery" },
  "auth.v1.RefreshTokenRequest": { refreshToken: "QW5uJ3Mgc2Vzc2lvbg" },
  "auth.v1.CreateApiKeyRequest": { name: "nightly export", scopes: ["tasks:read"] },
  "auth.v1.CreateApiKeyResponse": { key: "tmk_01932f554a5c70008000…" },
  "auth.v1.ApiKey": {
    apiKeyId: "01932f55-4a5c-7000-8000-2b9c4e7d1f86",
    name: "nightly export",
    scopes: ["tasks:read"],
    createTime: earlier,
    expireTime: "2027-11-24T09:00:00Z",
    lastUsedTime: later,
  },
  "user.v1.User": {
    userId: ids.ann,
    email: "ann@example.com",
    displayName: "Ann",
    locale: "de-CH",
    timeZone: "Europe/Zurich",
    createTime: earlier,
    updateTime: earlier,
    etag: "1",
  },
  "user.v1.UserUpdatePatch": { displayName: "Ann", timeZone: "Europe/Zurich" },
  "user.v1.UserSummary": { userId: ids.bob, displayName: "Bob" },
  "task.v1.TaskInput": { title: "Book the night train to Zürich", priority: 3, due: { date: "2026-11-30" } },
  "task.v1.TaskPatch": { priority: 4, due: { date: "2026-11-28" } },
  "task.v1.Task": {
    taskId: ids.task,
    title: "Book the night train to Zürich",
    status: "STATUS_OPEN",
    priority: 3,
    due: { date: "2026-11-30" },
    createTime: earlier,
    updateTime: later,
    etag: "2",
    revision: "2",
    ownerId: ids.ann,
  },
  "task.v1.Due": { date: "2026-11-30" },
  "task.v1.CompleteTaskResponse": {
    task: { status: "STATUS_DONE", completeTime: later, etag: "3", revision: "3" },
  },
  "task.v1.CompleteTaskRequest": { etag: "2" },
  "task.v1.ShareTaskRequest": { email: "bob@example.com", role: "ROLE_EDITOR" },
  "task.v1.Collaborator": { userId: ids.bob, displayName: "Bob", role: "ROLE_EDITOR", createTime: later },
  "task.v1.CreateReminderRequest": { before: "3600s", channels: ["CHANNEL_EMAIL", "CHANNEL_PUSH"] },
  "task.v1.SnoozeReminderRequest": { duration: "600s" },
  "task.v1.Reminder": {
    reminderId: "01932f57-d0b4-7000-8000-7c1f5a9e2d38",
    taskId: ids.task,
    before: "3600s",
    channels: ["CHANNEL_EMAIL", "CHANNEL_PUSH"],
    createTime: later,
  },
  "task.v1.CreateCommentRequest": { text: "A couchette is fine." },
  "task.v1.Comment": {
    commentId: "01932f57-b5c8-7000-8000-0c6e2d9f1b43",
    taskId: ids.task,
    authorId: ids.bob,
    text: "A couchette is fine.",
    createTime: later,
  },
  "task.v1.CreateLabelRequest": { name: "travel" },
  "task.v1.Label": { labelId: "01932f51-08f0-7000-8000-71e3aa5c9d02", name: "travel", createTime: earlier },
  "task.v1.ImportTasksRequest": {
    format: "FORMAT_TODOIST_CSV",
    content: "VFlQRSxDT05URU5ULFBSSU9SSVRZCnRhc2ssQnV5IG1pbGssMQo=",
    timeZone: "Europe/Berlin",
  },
  "task.v1.ImportTasksResponse": { importedCount: 1, taskIds: [ids.task], skipped: [] },
  "notification.v1.RaiseAlertRequest": {
    message: "I hurt my ankle on the way to the hut",
    recipientIds: [ids.bob],
    location: hut,
  },
  "notification.v1.Alert": {
    alertId: "01932f5a-7f10-7000-8000-6d2b9e40c35a",
    raiserId: ids.ann,
    message: "I hurt my ankle on the way to the hut",
    location: hut,
    createTime: later,
    deliveries: [
      { recipientId: ids.bob, state: "ALERT_STATE_NOTIFIED", escalationLevel: 0, noticeCount: 1, notifyTime: later },
    ],
    traceId,
  },
  "notification.v1.Notification": notification,
  "notification.v1.GetPushKeyResponse": { publicKey: browser.pushKey },
  "notification.v1.CreatePushSubscriptionRequest": {
    endpoint: "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABpIq",
    keys: browser.keys,
    pushKey: browser.pushKey,
  },
  "notification.v1.PushSubscriptionKeys": browser.keys,
  "notification.v1.PushSubscription": {
    pushSubscriptionId: "01932f56-0b7d-7000-8000-a4e19d30c652",
    pushService: "https://updates.push.services.mozilla.com",
    pushKey: browser.pushKey,
    createTime: earlier,
  },
  "notification.v1.Webhook": webhook,
  "notification.v1.WebhookInput": { displayName: webhook.displayName, url: webhook.url },
  "notification.v1.WebhookPatch": { state: "STATE_ENABLED" },
  "notification.v1.CreateWebhookResponse": { webhook, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwq1wB0a9fXyc=" },
  "notification.v1.RotateWebhookSecretResponse": { secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwq1wB0a9fXyc=" },
  "notification.v1.WebhookDelivery": {
    webhookDeliveryId: deliveryId,
    notificationId: notification.notificationId,
    type: notification.type,
    state: "STATE_SENT",
    attemptCount: 1,
    createTime: later,
    sendTime: later,
    traceId,
  },
  "notification.v1.ReplayWebhookDeliveriesRequest": { afterWebhookDeliveryId: deliveryId },
  "notification.v1.ReplayWebhookDeliveriesResponse": { replayedCount: 3 },
  "notification.v1.WatchNotificationsResponse": {
    created: notification,
    cursor: "kbNQ0Z8vT0G4nYqkPp7pFlsiNyJd",
    unreadCount: 3,
    revision: "7",
  },
};
