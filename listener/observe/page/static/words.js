// What the page says, in Chinese or English as the browser prefers; figures and times as people read them there.

export const zh = (navigator.languages || [navigator.language]).find((one) => /^(zh|en)/i.test(one))?.toLowerCase().startsWith("zh") ?? false;
export const lang = zh ? "zh-CN" : "en";

const WORDS = {
  skip: ["Skip to the content", "跳到正文"],
  nav: ["Views", "页面"],
  now: ["Now", "现在"], tickets: ["Conversations", "对话"], letters: ["Not delivered", "未送达"], numbers: ["Numbers", "统计"],
  connecting: ["connecting…", "正在连接…"], live: ["live", "实时"], lost: ["no answer; trying again", "无响应，正在重试"],
  unlock: ["Unlock buttons", "启用按钮"], lock: ["Lock buttons", "停用按钮"],
  unlock_title: ["Unlock the buttons", "启用按钮"],
  unlock_why: ["Give the token from the file that http.token_file names.", "请输入 http.token_file 所指文件中的令牌。"],
  token: ["Token", "令牌"], cancel: ["Cancel", "取消"], ok: ["OK", "确定"],
  wrong_token: ["That is not the token.", "令牌不正确。"],
  locked: ["Unlock the buttons first", "请先启用按钮"],
  no_token: ["The buttons need http.token_file in the settings.", "按钮需要在配置中设置 http.token_file。"],
  token_needed: ["This page is opened from another machine: it needs the token.", "从其他机器打开本页需要令牌。"],

  listening: ["Listening", "正在监听"], degraded: ["Listening, but something needs a look", "正在监听，但有事项需要查看"], not_ready: ["Not listening properly", "监听异常"], unreachable: ["The daemon does not answer", "守护进程没有响应"],
  connected_for: ["connected for {0}", "已连接 {0}"], not_connected: ["not connected", "未连接"], renewing: ["{0}", "{0}"],
  ping: ["ping {0}", "延迟 {0}"], last_event: ["last event {0}", "最近事件 {0}"], no_event: ["no event yet", "还没有事件"], next_try: ["next attempt {0}", "下次尝试 {0}"],
  today: ["Today", "今天"], messages: ["messages", "条消息"], usual: ["usually {0} by this hour", "往日此时约 {0}"], days_before: ["The days before, up to this time, and today: {0}", "往日同一时刻与今天：{0}"], no_days: ["no earlier days to compare with yet", "还没有往日数据可比较"],
  per_minute: ["Events a minute", "每分钟事件"], last_hour: ["the last hour", "最近一小时"], at_most: ["at most {0} a minute", "最多每分钟 {0}"],
  journal: ["Journal", "日志库"], used: ["used", "已用"], of: ["{0} of {1}", "{0} / {1}"], disk_free: ["free on its disk", "磁盘剩余"], waiting_commit: ["waiting for a commit", "等待提交"], journal_state: ["state", "状态"], writable: ["writable", "可写"], not_writable: ["not writable", "不可写"],
  connection: ["Connection", "连接"], connections: ["opened / renewed", "建立 / 更新"], losses: ["losses", "断开"], acks: ["acked / pushed again", "已确认 / 待重推"], ack_time: ["slowest 1% of acks", "最慢 1% 的确认"], duplicates: ["duplicates dropped", "去重"], clients: ["clients online", "在线客户端"], clients_of: ["{0}, expected {1}", "{0}，预期 {1}"], not_known: ["not asked yet", "尚未查询"],
  sinks: ["Sinks", "输出去向"], lag: ["behind", "落后"], delivered: ["delivered", "已送达"], retries: ["retries", "重试"], dead: ["dead letters", "死信"], up_to_date: ["up to date", "已同步"], failing: ["failing", "失败中"], paused: ["paused", "已暂停"], died: ["died", "已终止"], closed: ["closed", "已关闭"], behind: ["behind", "落后"], to_retry: ["{0} wait for a retry", "{0} 条等待重试"],

  search: ["Search by ticket, text or sender", "按工单、内容或发送者搜索"], all_tickets: ["Tickets", "工单"], no_tickets: ["No messages yet", "还没有消息"], no_tickets_why: ["They appear here as they come in.", "收到后会显示在这里。"],
  choose: ["Choose a ticket", "请选择工单"], choose_why: ["Its conversation is shown here, live.", "这里会实时显示对话。"], back: ["Back to the tickets", "返回工单列表"],
  older: ["Load older messages", "加载更早的消息"], loading: ["Loading…", "加载中…"], begin: ["Beginning of what the journal keeps", "日志库保留的最早一条"], fresh: ["{0} new", "{0} 条新消息"],
  found: ["Found", "搜索结果"], searching: ["Searching…", "正在搜索…"], nothing: ["Nothing found", "没有找到"], nothing_why: ["In all that the journal keeps.", "已搜索日志库保留的全部消息。"], go_on: ["Look further back", "继续向前搜索"],
  guest: ["Guest", "用户"], agent: ["Agent", "客服"], bot: ["Bot", "机器人"], unknown: ["Unknown", "未知"], system: ["Ticket", "工单"],
  more_text: ["{0} more characters", "还有 {0} 个字符"], image: ["image", "图片"], status_now: ["Status: {0}", "状态：{0}"], no_ticket: ["without a ticket", "无工单"], unreadable_event: ["can't be read: {0}", "无法读取：{0}"], ticket: ["Ticket {0}", "工单 {0}"],

  event: ["Event", "事件"], event_gone: ["This event is not kept any more.", "该事件已不再保留。"], received: ["received", "收到"], created: ["created", "创建"], type: ["type", "类型"], seq: ["seq", "序号"], event_id: ["event id", "事件 ID"],
  which_sinks: ["Who got it", "投递情况"], pending: ["to come", "待投递"], passed: ["delivered or passed over, before this start", "本次启动前已投递或跳过"], got_at: ["delivered {0}", "{0} 送达"], waits: ["waits, next attempt {0}", "等待中，下次尝试 {0}"], is_dead: ["dead letter", "死信"], retrying: ["being retried", "正在重试"], attempts: ["{0} attempts", "尝试 {0} 次"], hand_on: ["Replay", "重新投递"], handed: ["It is being replayed to {0}.", "已重新投递到 {0}。"],
  record: ["Record", "记录"], raw: ["Raw payload", "原始数据"], copy_json: ["Copy as JSON", "复制 JSON"], copy_curl: ["Copy as curl", "复制为 curl"], copied: ["Copied", "已复制"],

  dead_title: ["Dead letters", "死信"], waiting_title: ["Waiting for another attempt", "等待再次尝试"], unreadable_title: ["Payloads that can't be read", "无法读取的数据"],
  none_left: ["Everything is delivered", "全部已送达"], none_left_why: ["What a sink does not take is kept here until somebody decides.", "某个去向未接收的事件会保留在这里，等待处理。"],
  retry: ["Retry", "重试"], discard: ["Discard", "丢弃"], retry_all: ["Retry all", "全部重试"], discard_all: ["Discard all", "全部丢弃"], retried: ["{0} are retried now.", "已开始重试 {0} 条。"], discarded: ["{0} discarded.", "已丢弃 {0} 条。"], sure: ["Discard for good?", "确定永久丢弃？"], sure_why: ["The sink will never get them: {0}", "该去向将不会收到：{0}"], to_sink: ["to {0}", "发往 {0}"], and_more: ["The newest {0} of {1} are shown.", "仅显示最新 {0} 条，共 {1} 条。"], now_try: ["Try again now", "立即重试"], hurried: ["Tried again now.", "已立即重试。"], since: ["since {0}", "自 {0}"], waiting_why: ["They go on by themselves; a sink's later events are not held up.", "会自动重试，不影响该去向的后续事件。"],

  by_status: ["Tickets by status", "按状态统计工单"], by_hour: ["Messages by hour and sender", "每小时消息（按发送者）"], response: ["First response", "首次响应时间"], median: ["median", "中位数"], p90: ["9 of 10 within", "90% 不超过"], counted: ["{0} messages since {1}", "自 {1} 起共 {0} 条消息"], partly: ["still counting…", "统计中…"], newest_only: ["the newest {0} messages", "最新 {0} 条消息"], no_numbers: ["Nothing to count yet", "还没有可统计的数据"], no_response: ["No ticket tells of a response yet.", "还没有工单包含响应时间。"], table: ["As a table", "表格"], hour: ["Hour", "小时"], of_tickets: ["{0} tickets", "{0} 个工单"], within: ["tickets", "工单数"],
  "status.created": ["created", "已创建"], "status.processing": ["processing", "处理中"], "status.queued": ["queued", "排队中"], "status.pending": ["pending", "待定"], "status.waiting_for_user": ["waiting for user", "待用户响应"], "status.closed_by_bot": ["closed by bot", "机器人关闭"], "status.closed_by_agent": ["closed by agent", "客服关闭"], "status.closed_by_user": ["closed by user", "用户关闭"], "status.unknown": ["unknown", "未知"],
};

export function t(key, ...values) {
  const text = (WORDS[key] || [key, key])[zh ? 1 : 0];
  return text.replace(/\{(\d)\}/g, (_, n) => values[n]);
}

export const status = (name) => (name ? t(`status.${WORDS[`status.${name}`] ? name : "unknown"}`) : "");

const number = new Intl.NumberFormat(lang);
export const count = (n) => number.format(n);

const UNITS = zh ? ["天", "小时", "分钟", "秒"] : [" d", " h", " min", " s"];
export function duration(seconds) {
  if (seconds < 1 && seconds > 0) return `${Math.max(1, Math.round(seconds * 1000))} ${zh ? "毫秒" : "ms"}`;
  const s = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60, s % 60];
  const first = Math.max(0, parts.findIndex((n) => n > 0));
  if (s === 0) return `0${UNITS[3]}`;
  return parts.slice(first, first + (first < 3 ? 2 : 1)).map((n, at) => (n ? `${n}${UNITS[first + at]}` : "")).filter(Boolean).join(" ");
}
export const ago = (ms) => { const s = (Date.now() - ms) / 1000; return s < 1 ? (zh ? "刚刚" : "just now") : zh ? `${duration(s)}前` : `${duration(s)} ago`; };

const clock = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(lang, { month: "short", day: "numeric" });
const full = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium", hour12: false });
export const fullTime = (ms) => full.format(ms);
export const hourTime = (ms) => `${day.format(ms)} ${clock.format(ms)}`;
export const shortHour = (ms) => clock.format(ms);
export const shortTime = (ms) => (new Date(ms).toDateString() === new Date().toDateString() ? clock.format(ms) : `${day.format(ms)} ${clock.format(ms)}`);

export function size(bytes) {
  const unit = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** unit).toFixed(unit && bytes / 1024 ** unit < 10 ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

// The daemon's own sentences (health.py), for whoever reads Chinese; one that is not here stays as it is.
const SENTENCES = [
  [/^not connected since ([^:]+:\d\d:\d\dZ)(: (.*))?$/, (m) => `自 ${fullTime(Date.parse(m[1]))} 起未连接${m[3] ? `：${m[3]}` : ""}`],
  [/^not connected(: (.*))?$/, (m) => `未连接${m[2] ? `：${m[2]}` : ""}`],
  [/^connected, but the platform is silent$/, () => "已连接，但平台没有应答"],
  [/^the journal can't be written: (.*)$/, (m) => `日志库无法写入：${m[1]}`],
  [/^the journal is full: new events are refused$/, () => "日志库已满，新事件被拒绝"],
  [/^the journal's disk is full$/, () => "日志库所在磁盘已满"],
  [/^the journal's disk does not answer$/, () => "日志库所在磁盘没有响应"],
  [/^the journal is (\d+%) full$/, (m) => `日志库已用 ${m[1]}`],
  [/^the journal's disk has (.*) left$/, (m) => `日志库所在磁盘仅剩 ${m[1]}`],
  [/^somebody has been reading the journal in one transaction for (\d+) s.*\((.*)\)$/, (m) => `有程序在一个事务中读取日志库已 ${m[1]} 秒，文件不断增大（${m[2]}）`],
  [/^(\d+) payloads that can't be read had to leave.*$/, (m) => `${m[1]} 条无法读取的数据已被较新的数据替换`],
  [/^sink (\S+): its other end was closed$/, (m) => `去向 ${m[1]}：对端已关闭`],
  [/^sink (\S+) fails: (.*)$/, (m) => `去向 ${m[1]} 失败：${m[2]}`],
  [/^sink (\S+) is (\d+) s behind$/, (m) => `去向 ${m[1]} 落后 ${m[2]} 秒`],
  [/^sink (\S+): (\d+) events wait for another attempt.*$/, (m) => `去向 ${m[1]}：${m[2]} 条事件等待再次尝试，其余照常`],
  [/^sink (\S+) has (\d+) dead letters.*$/, (m) => `去向 ${m[1]} 有 ${m[2]} 条死信`],
  [/^sink (\S+): paused: (.*)$/, (m) => `去向 ${m[1]} 已暂停：${m[2]}`],
  [/^sink (\S+): its worker died$/, (m) => `去向 ${m[1]} 的工作线程已终止`],
  [/^sink (\S+): (\d+) events wait, and nothing is delivered$/, (m) => `去向 ${m[1]}：${m[2]} 条事件在等待，没有任何投递`],
  [/^sink (\S+): (.*)$/, (m) => `去向 ${m[1]}：${m[2]}`],
  [/^(\d+) clients of the app are online, (\d+) expected.*$/, (m) => `应用有 ${m[1]} 个客户端在线，预期 ${m[2]} 个：其他客户端会分走事件`],
];
export function problem(text) {
  const dead = text.replace(/: helpdesk-listen dead-letters list$/, "");
  if (!zh) return dead;
  for (const [pattern, say] of SENTENCES) {
    const found = dead.match(pattern);
    if (found) return say(found);
  }
  return dead;
}
