#include "server/api/telemetry.h"

#include <algorithm>
#include <chrono>
#include <memory>

namespace gyre::server {

http::Reply HttpTimes::timed(const http::Request& request, http::Reply reply) {
  const auto known = std::find(kMethods.begin(), kMethods.end(), request.method);
  const auto method = std::min<std::size_t>(static_cast<std::size_t>(known - kMethods.begin()),
                                            kMethods.size() - 1);
  const auto began = std::chrono::steady_clock::now();
  const auto once = std::make_shared<std::atomic<bool>>(false);
  return [this, method, began, once, reply = std::move(reply)](http::Answer answer) {
    if (!once->exchange(true)) {
      const auto took = std::chrono::steady_clock::now() - began;
      add(method, std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    }
    reply(std::move(answer));
  };
}

void HttpTimes::add(std::size_t method, std::int64_t us) {
  Counts& counts = counts_[method];
  const auto bound = std::lower_bound(kBoundsUs.begin(), kBoundsUs.end(), us);
  ++counts.buckets[static_cast<std::size_t>(bound - kBoundsUs.begin())];
  counts.sum_us += static_cast<std::uint64_t>(std::max<std::int64_t>(0, us));
}

HttpTimes::Read HttpTimes::read(std::size_t method) const {
  const Counts& counts = counts_[method];
  Read out;
  for (std::size_t i = 0; i < out.buckets.size(); ++i) out.buckets[i] = counts.buckets[i];
  out.sum_us = counts.sum_us;
  return out;
}

}  // namespace gyre::server
