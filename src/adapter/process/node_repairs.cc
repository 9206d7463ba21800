#include "adapter/process/node_repairs.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <utility>

#include "adapter/process/shell_command.h"

namespace gyre::process {
namespace {

constexpr const char* kRecordFile = "repair";
constexpr const char* kBootIdFile = "/proc/sys/kernel/random/boot_id";
constexpr Duration kLookPause = milliseconds(50);
constexpr int kLooksAfterKill = 40;  // one that hangs in a driver does not even end then
constexpr Duration kClocksDiffer = seconds(5);

Time read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return Time{now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

std::string boot_id() { return read_control(kBootIdFile); }

Time booted_at() { return Time{read_clock(CLOCK_REALTIME).ns - read_clock(CLOCK_BOOTTIME).ns}; }

bool starts_machine_anew(Repair repair) {
  return repair == Repair::Reboot || repair == Repair::Replace;
}

/// The last line that says something, as plain text.
std::string last_line(std::string_view output) {
  const auto end = output.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return "";
  output = output.substr(0, end + 1);
  output = output.substr(output.find_last_of("\r\n") + 1);
  return plain_text(output.substr(0, kRepairDetailMax / 2));
}

template <class Number>
bool parse(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

act::RepairOver judge(const act::RepairOrder& order, int status, const std::string& output) {
  const std::string line = last_line(output);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {order.id, true, line};
  const std::string how = WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                            : fmt::format("signal {}", WTERMSIG(status));
  return {order.id, false, line.empty() ? how : fmt::format("{}: {}", how, line)};
}

}  // namespace

Result<std::unique_ptr<NodeRepairs>> NodeRepairs::open(RepairOptions options) {
  auto folder = open_folder(options.folder);
  if (!folder) return tl::unexpected(folder.error());
  std::unique_ptr<NodeRepairs> repairs(new NodeRepairs(std::move(options), std::move(*folder)));
  if (auto read = repairs->read_record(); !read) return tl::unexpected(read.error());
  return repairs;
}

NodeRepairs::~NodeRepairs() {
  {
    const std::lock_guard guard(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

void NodeRepairs::listen(std::function<void(act::RepairOver)> listener) {
  const std::lock_guard guard(mutex_);
  listener_ = std::move(listener);
}

bool NodeRepairs::busy() const {
  const std::lock_guard guard(mutex_);
  return busy_;
}

// --- the record ----------------------------------------------------------------------------------

/// Takes up what an earlier life of this process left.
Result<void> NodeRepairs::read_record() {
  const auto text = read_file(folder_, kRecordFile);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return {};
  const auto records = decode(**text);
  Record record;
  const auto value = [&](std::string_view name) { return value_of(*records, name); };
  std::uint64_t id = 0;
  int repair = 0;
  if (!records || !parse(value("id"), id) || !parse(value("asked_at"), record.order.asked_at.ns) ||
      !parse(value("repair"), repair)) {
    return fail(ErrorKind::Invalid,
                "{}/{} is damaged; look whether this machine was being repaired, and remove it",
                options_.folder, kRecordFile);
  }
  record.order.id = CommandId{id};
  record.order.repair = static_cast<Repair>(repair);
  record.boot = value("boot");
  if (!value("outcome").empty()) {
    record.over =
        act::RepairOver{record.order.id, value("outcome") == "good", std::string(value("detail"))};
  }
  record_ = std::move(record);
  if (record_->over) return {};
  const bool anew = record_->boot != boot_id();
  if (starts_machine_anew(record_->order.repair)) {
    record_->over = act::RepairOver{record_->order.id, anew,
                                    anew ? "the machine was started anew"
                                         : "the agent was started anew, but the machine was not"};
  } else {
    record_->over = act::RepairOver{record_->order.id, false,
                                    "the agent ended meanwhile: nobody knows what came of it"};
  }
  return write_record();
}

Result<void> NodeRepairs::write_record() {
  const Record& record = *record_;
  Records records{{"id", std::to_string(record.order.id.value)},
                  {"asked_at", std::to_string(record.order.asked_at.ns)},
                  {"repair", std::to_string(static_cast<int>(record.order.repair))},
                  {"boot", record.boot}};
  if (record.over) {
    records.emplace_back("outcome", record.over->good ? "good" : "bad");
    records.emplace_back("detail", record.over->detail);
  }
  return replace_file(folder_, kRecordFile, encode(records), Sync::Yes);
}

// --- repairs -------------------------------------------------------------------------------------

void NodeRepairs::carry_out(const act::RepairOrder& order, const std::string& obstacle) {
  std::function<void(act::RepairOver)> listener;
  std::optional<act::RepairOver> over;
  {
    const std::lock_guard guard(mutex_);
    over = begin(order, obstacle);
    listener = listener_;
  }
  if (over && listener) listener(*over);
}

/// Requires: the lock. What there is to say at once.
std::optional<act::RepairOver> NodeRepairs::begin(const act::RepairOrder& order,
                                                  const std::string& obstacle) {
  const bool known =
      record_ && record_->order.id == order.id && record_->order.asked_at == order.asked_at;
  if (known) return record_->over;
  if (busy_) return act::RepairOver{order.id, false, "another repair is underway on the node"};
  if (worker_.joinable()) worker_.join();
  record_ = Record{order, boot_id(), settled(order, obstacle)};
  if (auto kept = write_record(); !kept) {
    record_.reset();
    return act::RepairOver{order.id, false, kept.error().message};
  }
  if (record_->over) return record_->over;
  busy_ = true;
  worker_ =
      std::thread([this, order, command = command_for(order.repair)] { run(order, command); });
  return std::nullopt;
}

/// The outcome of what is not begun.
std::optional<act::RepairOver> NodeRepairs::settled(const act::RepairOrder& order,
                                                    const std::string& obstacle) const {
  if (starts_machine_anew(order.repair) && booted_at() > order.asked_at + kClocksDiffer) {
    return act::RepairOver{order.id, true, "the machine was started after that was asked for"};
  }
  if (!obstacle.empty()) return act::RepairOver{order.id, false, "left alone: " + obstacle};
  if (!command_for(order.repair).empty()) return std::nullopt;
  return act::RepairOver{
      order.id, false,
      fmt::format("this node has no command for that: start its agent with --repair {}=COMMAND",
                  to_string(order.repair))};
}

std::string NodeRepairs::command_for(Repair repair) const {
  const auto own = options_.commands.find(repair);
  if (own != options_.commands.end()) return own->second;
  if (repair == Repair::Reset) return R"(exec nvidia-smi --gpu-reset -i "$GYRE_GPU")";
  if (repair == Repair::BurnIn) return R"(exec "$GYRE_PROGRAM" burn-in)";
  return "";
}

void NodeRepairs::run(const act::RepairOrder& order, const std::string& command) {
  const bool pauses = order.repair == Repair::Reset && options_.watch_gpus;
  if (pauses) options_.watch_gpus(false);
  std::error_code error;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", error).string();
  auto child = ShellCommand::start(
      command, {"GYRE_GPU=" + order.device, fmt::format("GYRE_GPUS={}", options_.gpus),
                fmt::format("GYRE_REPAIR={}", to_string(order.repair)), "GYRE_PROGRAM=" + program});
  std::optional<act::RepairOver> over;
  if (!child) over = act::RepairOver{order.id, false, child.error().message};
  const auto began = std::chrono::steady_clock::now();
  const auto is_late = [&] {
    return std::chrono::steady_clock::now() - began > std::chrono::nanoseconds(order.limit.ns);
  };
  bool stopped = false;
  while (!over && !stopped) {
    if (const auto status = child->look(kLookPause)) {
      over = judge(order, *status, child->output());
      if (over->good && starts_machine_anew(order.repair)) break;
    } else if (is_late()) {
      child->kill();
      over = act::RepairOver{order.id, false, "it did not end in time, and was ended"};
      for (int looks = 0; looks < kLooksAfterKill && !child->look(kLookPause);) ++looks;
    }
    stopped = wait(Duration{0});
    if (stopped && !over && order.repair == Repair::BurnIn) child->kill();
  }
  if (over && over->good && starts_machine_anew(order.repair)) {
    while (!stopped && !is_late()) stopped = wait(kLookPause);
    over = stopped ? std::nullopt
                   : std::optional(act::RepairOver{
                         order.id, false, "its command ended well, but the machine still runs"});
  }
  if (pauses) options_.watch_gpus(true);
  if (over) finish(*over);
}

/// Whether this object ends, at once or within that time.
bool NodeRepairs::wait(Duration span) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::nanoseconds(span.ns), [this] { return stop_; });
}

void NodeRepairs::finish(const act::RepairOver& over) {
  std::function<void(act::RepairOver)> listener;
  {
    const std::lock_guard guard(mutex_);
    record_->over = over;
    // Unwritten it is unknown to the next life, which is not good either.
    static_cast<void>(write_record());
    busy_ = false;
    listener = listener_;
  }
  if (listener) listener(over);
}

}  // namespace gyre::process
