import { defineEntity, p } from "@mikro-orm/core";

export const LabelEntity = defineEntity({
  name: "Label",
  tableName: "label",
  properties: {
    labelId: p.uuid().primary(),
    ownerId: p.uuid(),
    name: p.text(),
    /** What names are compared by. */
    nameKey: p.text(),
    createTime: p.datetime(3),
  },
  uniques: [{ name: "label_owner_name", properties: ["ownerId", "nameKey"] }],
});
