#include "cli/input_pump.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace gyre::cli {
namespace {

constexpr std::size_t kPiece = 32'768;
constexpr std::size_t kOutMax = 2;

}  // namespace

InputPump::InputPump(int descriptor, std::function<void(std::string)> take)
    : descriptor_(descriptor), take_(std::move(take)) {
  if (::pipe2(quit_pipe_, O_CLOEXEC) == 0) thread_ = std::thread([this] { run(); });
}

InputPump::~InputPump() {
  {
    const std::lock_guard guard(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  ::close(quit_pipe_[1]);
  if (thread_.joinable()) thread_.join();
  ::close(quit_pipe_[0]);
}

void InputPump::done() {
  {
    const std::lock_guard guard(mutex_);
    --out_;
  }
  changed_.notify_all();
}

bool InputPump::wait_for_room() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return quit_ || out_ < kOutMax; });
  if (quit_) return false;
  ++out_;
  return true;
}

void InputPump::run() {
  while (wait_for_room()) {
    pollfd wait[2] = {{descriptor_, POLLIN, 0}, {quit_pipe_[0], POLLIN, 0}};
    ssize_t n = -1;
    std::string piece(kPiece, '\0');
    do {
      if (::poll(wait, 2, -1) < 0 && errno != EINTR) break;
      if (wait[1].revents != 0) return;
      n = wait[0].revents == 0 ? -1 : ::read(descriptor_, piece.data(), piece.size());
    } while (n < 0 && (errno == EINTR || errno == EAGAIN || wait[0].revents == 0));
    piece.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    const bool over = piece.empty();
    take_(std::move(piece));
    if (over) return;
  }
}

}  // namespace gyre::cli
