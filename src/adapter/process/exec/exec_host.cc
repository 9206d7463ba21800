#include "adapter/process/exec/exec_host.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"

namespace gyre::process {
namespace {

using Part = ExecSession::Part;

constexpr std::uint64_t kWords = ~std::uint64_t{0};
constexpr unsigned kPartBits = 2;
constexpr std::array kAllParts{Part::Line, Part::Input, Part::Output, Part::Errors};

}  // namespace

ExecHost::ExecHost(std::string tasks, const ExecLimits& limits)
    : tasks_(std::move(tasks)),
      limits_(limits),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWords;
  GYRE_ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event) == 0);
}

ExecHost::~ExecHost() {
  if (!thread_.joinable()) return;
  post(Quit{});
  thread_.join();
}

void ExecHost::listen(std::function<void(act::ExecReport)> listener) {
  GYRE_ASSERT(!thread_.joinable());
  listener_ = std::move(listener);
  thread_ = std::thread([this] { run(); });
}

void ExecHost::obey(const act::ExecOrder& order) { post(order); }
void ExecHost::hang_up_all() { post(HangUpAll{}); }

void ExecHost::post(Word word) {
  {
    const std::lock_guard guard(mutex_);
    words_.push_back(std::move(word));
  }
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wakeup_.get(), &one, sizeof one));
}

void ExecHost::run() {
  // A command that reads no more is told by an error.
  sigset_t broken_pipe;
  ::sigemptyset(&broken_pipe);
  ::sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  std::array<epoll_event, 64> events{};
  for (;;) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;
      if (token == kWords) {
        if (!take_words()) return running_.clear();
        continue;
      }
      const auto found = running_.find(token >> kPartBits);
      if (found == running_.end()) continue;
      found->second.session.on_ready(static_cast<Part>(token & ((1U << kPartBits) - 1)));
      settle(found);
    }
  }
}

/// False when it was told to quit.
bool ExecHost::take_words() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(wakeup_.get(), &count, sizeof count));
  std::deque<Word> words;
  {
    const std::lock_guard guard(mutex_);
    words.swap(words_);
  }
  for (const Word& word : words) {
    if (std::holds_alternative<Quit>(word)) return false;
    if (std::holds_alternative<HangUpAll>(word)) running_.clear();
    if (const auto* order = std::get_if<act::ExecOrder>(&word)) carry_out(*order);
  }
  return true;
}

void ExecHost::carry_out(const act::ExecOrder& order) {
  if (const auto* begin = std::get_if<act::ExecStart>(&order)) return start(*begin);
  const auto found = running_.find(act::exec_id(order));
  if (found == running_.end()) return;
  if (std::holds_alternative<act::ExecHangUp>(order)) {
    running_.erase(found);
    return;
  }
  ExecSession& session = found->second.session;
  if (const auto* input = std::get_if<act::ExecInput>(&order)) session.take(*input);
  if (const auto* want = std::get_if<act::ExecWant>(&order)) session.take(*want);
  if (const auto* resize = std::get_if<act::ExecResize>(&order)) session.take(*resize);
  settle(found);
}

Result<void> ExecHost::find_room(const act::TaskKey& key) const {
  const auto beside = static_cast<std::size_t>(std::count_if(
      running_.begin(), running_.end(), [&](const auto& one) { return one.second.key == key; }));
  if (beside >= limits_.per_task) {
    return fail(ErrorKind::Unavailable,
                "{} commands run in this task already, which is the most; end one of them", beside);
  }
  if (running_.size() >= limits_.in_all) {
    return fail(ErrorKind::Unavailable,
                "{} commands run in tasks of this node, which is the most; end one of them",
                running_.size());
  }
  return {};
}

void ExecHost::start(const act::ExecStart& start) {
  const auto refuse = [&](const Error& error) {
    listener_(act::ExecEnded{start.id, tl::unexpected(error)});
  };
  if (start.id >> (64 - kPartBits) != 0 || running_.contains(start.id)) {
    return refuse({ErrorKind::Internal, "the id of a command is used twice"});
  }
  if (const auto room = find_room(start.key); !room) return refuse(room.error());
  auto session = ExecSession::open(tasks_, start, listener_);
  if (!session) return refuse(session.error());
  settle(running_.emplace(start.id, Running{start.key, std::move(*session), {}}).first);
}

/// Waits for what the session waits for, or lets go of it.
void ExecHost::settle(std::map<std::uint64_t, Running>::iterator at) {
  auto& [id, running] = *at;
  if (running.session.is_over()) {
    running_.erase(at);
    return;
  }
  for (const Part part : kAllParts) watch(id, running, part, running.session.waits_for(part));
}

/// What has been closed meanwhile is not watched any more by itself.
void ExecHost::watch(std::uint64_t id, Running& running, Part part, bool on) {
  bool& watched = running.watched[static_cast<std::size_t>(part)];
  if (watched == on) return;
  watched = on;
  epoll_event event{};
  event.events = part == Part::Input ? EPOLLOUT : EPOLLIN;
  event.data.u64 = id << kPartBits | static_cast<std::uint64_t>(part);
  const int descriptor = running.session.descriptor(part);
  ::epoll_ctl(epoll_.get(), on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, descriptor, &event);
}

}  // namespace gyre::process
