#include "server/lab/lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gyre::server {
namespace {

constexpr std::size_t kClerkTasksMax = 16;

bool is_over(const LabRun& run) {
  return run.state == LabRun::State::Succeeded || run.state == LabRun::State::Failed;
}

tl::unexpected<Error> unknown(std::uint64_t id) {
  return fail(ErrorKind::NotFound, "there is no run {}; it may have been removed", id);
}

}  // namespace

Lab::Lab(LabPlayer& player, LabShelf& shelf, LabOptions options)
    : player_(player), shelf_(shelf), options_(std::move(options)), clerk_(kClerkTasksMax) {
  load();
  thread_ = std::thread([this] { work(); });
}

Lab::~Lab() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Lab::load() {
  for (const LabShelf::Kept& kept : shelf_.all()) {
    last_id_ = std::max(last_id_, kept.id);
    auto run =
        kept.text ? read_record(*kept.text) : Result<LabRun>(tl::unexpected(kept.text.error()));
    if (!run || run->id != kept.id) {
      options_.notice(fmt::format("the policy lab's result {} is left out: {}", kept.id,
                                  run ? "it is another's" : run.error().message));
      continue;
    }
    if (!is_over(*run)) {
      run->state = LabRun::State::Failed;
      run->error = "the server ended before it was done; start it again";
    }
    entries_[kept.id] = {std::move(*run), {}, true};
  }
  for (const std::uint64_t id : drop_oldest()) shelf_.remove(id);
}

Result<std::uint64_t> Lab::ask(LabQuestion question, std::vector<LabRun::Policy> shown) {
  if (question.trace) {
    if (auto fine = player_.check(*question.trace); !fine) return tl::unexpected(fine.error());
  } else if (options_.own_trace && (question.since || question.until)) {
    return fail(ErrorKind::Conflict,
                "this server plays a trace, which policies are tried on as a whole; leave 'since' "
                "and 'until' out");
  }
  LabRun run;
  {
    const std::lock_guard lock(mutex_);
    const auto queued = std::count_if(entries_.begin(), entries_.end(), [](const auto& one) {
      return one.second.run.state == LabRun::State::Queued;
    });
    if (static_cast<std::size_t>(queued) >= options_.queued_max) {
      return fail(ErrorKind::Unavailable,
                  "{} runs of the policy lab wait already; remove one, or try again later", queued);
    }
    run.id = ++last_id_;
    run.asked_at = options_.clock();
    run.since = question.since;
    run.until = question.until;
    run.trace = options_.own_trace;
    if (const auto& trace = question.trace) {
      run.trace = LabRun::Trace{trace->name, trace->has_node_list() ? "" : trace->nodes};
    }
    run.policies = std::move(shown);
    entries_[run.id] = {run, std::move(question), false};
  }
  const auto kept = shelf_.put(run.id, to_record(run));
  const std::lock_guard lock(mutex_);
  if (!kept) {
    entries_.erase(run.id);
    return tl::unexpected(kept.error());
  }
  if (const auto found = entries_.find(run.id); found != entries_.end()) {
    found->second.durable = true;
  }
  changed_.notify_all();
  return run.id;
}

Result<void> Lab::remove(std::uint64_t id) {
  {
    const std::lock_guard lock(mutex_);
    if (entries_.erase(id) == 0) return unknown(id);
  }
  shelf_.remove(id);
  return {};
}

std::vector<LabRun> Lab::runs() const {
  const std::lock_guard lock(mutex_);
  std::vector<LabRun> runs;
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    const LabRun& run = entry->second.run;
    runs.push_back({run.id,
                    run.state,
                    run.asked_at,
                    run.started_at,
                    run.ended_at,
                    run.since,
                    run.until,
                    run.trace,
                    run.policies,
                    run.progress,
                    run.error,
                    {}});
  }
  return runs;
}

Result<LabRun> Lab::find(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return unknown(id);
  return found->second.run;
}

Lab::Entry* Lab::next() {
  for (auto& [id, entry] : entries_) {
    if (entry.run.state == LabRun::State::Queued && entry.durable) return &entry;
  }
  return nullptr;
}

void Lab::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || next() != nullptr; });
    if (ending_) return;
    Entry& entry = *next();
    const std::uint64_t id = entry.run.id;
    const LabQuestion question = std::move(entry.question);
    entry.run.state = LabRun::State::Running;
    entry.run.started_at = options_.clock();
    lock.unlock();
    auto played = player_.play(
        question, [this, id](const LabProgress& progress) { return tell(id, progress); });
    finish(id, std::move(played));
    lock.lock();
  }
}

bool Lab::tell(std::uint64_t id, const LabProgress& progress) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (ending_ || found == entries_.end()) return false;
  found->second.run.progress = progress;
  return true;
}

void Lab::finish(std::uint64_t id, Result<std::string> played) {
  if (played && played->size() > options_.report_bytes_max) {
    played = fail(ErrorKind::Internal, "the report has {} bytes, {} can be kept", played->size(),
                  options_.report_bytes_max);
  }
  LabRun run;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (ending_ || found == entries_.end()) return;
    run = found->second.run;
  }
  run.ended_at = options_.clock();
  run.state = played ? LabRun::State::Succeeded : LabRun::State::Failed;
  if (played) {
    run.report = std::move(*played);
  } else {
    run.error = played.error().message;
  }
  if (const auto kept = shelf_.put(id, to_record(run)); !kept) {
    options_.notice(fmt::format("the policy lab's result {} will not outlast this server: {}", id,
                                kept.error().message));
  }
  std::vector<std::uint64_t> dropped;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) {  // removed meanwhile
      dropped.push_back(id);
    } else {
      found->second.run = std::move(run);
      dropped = drop_oldest();
    }
  }
  for (const std::uint64_t old : dropped) shelf_.remove(old);
}

std::vector<std::uint64_t> Lab::drop_oldest() {
  std::vector<std::uint64_t> over;
  for (const auto& [id, entry] : entries_) {
    if (is_over(entry.run)) over.push_back(id);
  }
  over.resize(over.size() - std::min(over.size(), options_.kept_max));
  for (const std::uint64_t id : over) entries_.erase(id);
  return over;
}

}  // namespace gyre::server
