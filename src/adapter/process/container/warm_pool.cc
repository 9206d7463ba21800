#include "adapter/process/container/warm_pool.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "adapter/process/container/host.h"
#include "adapter/process/container/warm_line.h"
#include "adapter/process/folder.h"
#include "adapter/process/spawn.h"

namespace gyre::process {
namespace {

namespace fs = std::filesystem;

constexpr int kEndWaitMs = 5'000;
constexpr std::size_t kShapesMax = 5;  // with the one that is none

}  // namespace

std::string warm_shape(ContainerPlan plan) {
  const bool personal = !plan.secrets.empty() || !plan.devices.empty() || !plan.hooks.empty() ||
                        !plan.volumes.empty();
  if (personal) return {};
  plan.user_base = plan.user_base == 0 ? 0 : 1;
  return plan.encode();
}

WarmPool::WarmPool(Options options, const CgroupHost& cgroups)
    : options_(std::move(options)), cgroups_(cgroups) {
  std::error_code error;  // what an earlier life left; its supervisors ended with it
  fs::remove_all(options_.folder, error);
}

WarmPool::~WarmPool() {
  for (Shelf& shelf : shelves_) {
    for (Warm& warm : shelf.warm) drop(warm);
  }
  reap(kEndWaitMs);
  std::error_code error;
  fs::remove_all(options_.folder, error);
}

std::optional<WarmPool::Warm> WarmPool::take(const std::string& shape) {
  const auto shelf = std::find_if(shelves_.begin(), shelves_.end(),
                                  [&](const Shelf& one) { return one.shape == shape; });
  if (shelf == shelves_.end()) return std::nullopt;
  for (auto it = shelf->warm.begin(); it != shelf->warm.end();) {
    const WarmState state = look_at(it->line);
    if (state == WarmState::Making) {
      ++it;
      continue;
    }
    Warm warm = std::move(*it);
    it = shelf->warm.erase(it);
    if (state == WarmState::Gone) {
      drop(warm);
      continue;
    }
    std::error_code error;
    fs::remove_all(path_of(warm.name), error);
    return warm;
  }
  return std::nullopt;
}

void WarmPool::stock(const std::string& shape) {
  reap(0);
  const std::size_t wanted = shape == kUnshaped ? 1 : options_.per_shape;
  if (wanted == 0) return;
  const auto found = std::find_if(shelves_.begin(), shelves_.end(),
                                  [&](const Shelf& one) { return one.shape == shape; });
  Shelf shelf;
  shelf.shape = shape;
  if (found != shelves_.end()) {
    shelf = std::move(*found);
    shelves_.erase(found);
  }
  shelves_.push_front(std::move(shelf));
  if (shelves_.size() > kShapesMax) {
    for (Warm& warm : shelves_.back().warm) drop(warm);
    shelves_.pop_back();
  }
  while (shelves_.front().warm.size() < wanted) {
    auto warm = make(shape);
    if (!warm) return;
    shelves_.front().warm.push_back(std::move(*warm));
  }
}

std::optional<WarmPool::Warm> WarmPool::make(const std::string& shape) {
  ContainerPlan plan;
  if (shape != kUnshaped) {
    auto decoded = ContainerPlan::decode(shape);
    if (!decoded) return std::nullopt;
    plan = std::move(*decoded);
  }
  Warm warm;
  warm.name = fmt::format("warm-{}", ++last_);
  if (plan.user_base != 0) plan.user_base = warm_user_base(last_);
  const std::string path = path_of(warm.name);
  ::mkdir(options_.folder.c_str(), 0700);
  ::mkdir(path.c_str(), 0700);
  SupervisorSpec spec;
  spec.key = warm.name;
  spec.command = {"none"};
  spec.groups =
      cgroups_.plan(warm.name, {.cpu = {}, .memory = {}, .pids = plan.pids_max, .all = true});
  if (shape != kUnshaped) spec.container = plan.encode();
  const auto folder = open_folder(path);
  std::array<int, 2> ends{};
  if (!folder || !replace_file(*folder, kSpecFile, spec.encode(), Sync::No) ||
      ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return std::nullopt;
  }
  warm.line = Fd(ends[0]);
  const Fd theirs(ends[1]);
  auto process = spawn_supervisor(options_.supervisor, path, theirs);
  if (!process) return std::nullopt;
  warm.process = std::move(*process);
  return warm;
}

/// Its supervisor sees the end of the line, and ends the container.
void WarmPool::drop(Warm& warm) {
  ::shutdown(warm.line.get(), SHUT_RDWR);
  std::error_code error;
  fs::remove_all(path_of(warm.name), error);
  leaving_.push_back(std::move(warm.process));
}

/// Takes in those that have ended, each within that time.
void WarmPool::reap(int wait_ms) {
  std::erase_if(leaving_, [wait_ms](const Fd& process) {
    pollfd wait{.fd = process.get(), .events = POLLIN, .revents = 0};
    const bool ended = ::poll(&wait, 1, wait_ms) > 0;
    if (ended) take_exit_code(process);
    return ended;
  });
}

}  // namespace gyre::process
