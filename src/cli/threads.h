#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace gyre::cli {

inline std::size_t processors() { return std::max(1U, std::thread::hardware_concurrency()); }

/// Calls `work` on so many threads at once, this one among them, and waits for all.
inline void on_threads(std::size_t count, const std::function<void()>& work) {
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < count; ++i) others.emplace_back(work);
  work();
}

}  // namespace gyre::cli
