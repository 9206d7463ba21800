#include "apps/ending.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <initializer_list>

namespace gyre::apps {

Ending::Ending() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  signals_ = signalfd(-1, &signals, SFD_CLOEXEC);
  driver_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

Ending::~Ending() {
  close(signals_);
  close(driver_);
}

void Ending::driver_ended() const {
  const std::uint64_t one = 1;
  static_cast<void>(!write(driver_, &one, sizeof(one)));
}

bool Ending::wait(int at_most_ms) const {
  pollfd ends[] = {{signals_, POLLIN, 0}, {driver_, POLLIN, 0}};
  while (poll(ends, 2, at_most_ms) < 0) {
  }
  return ends[0].revents != 0;
}

void Ending::begin_again() const {
  std::uint64_t ended = 0;
  static_cast<void>(!read(driver_, &ended, sizeof(ended)));
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace gyre::apps
