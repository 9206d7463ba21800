#pragma once

#include <cstddef>
#include <vector>

namespace gyre::process {

/// Words over a Unix socket with descriptors beside them (SCM_RIGHTS, unix(7)); libc alone, for the
/// programs in containers too.

inline constexpr std::size_t kDescriptorsMax = 3;  // beside one word

/// Sends one word whole; `flags` are those of sendmsg(). False: nobody takes it, now. Requires:
/// kDescriptorsMax descriptors at most.
bool send_word(int socket, const void* data, std::size_t size,
               const std::vector<int>& descriptors = {}, int flags = 0);

/// What came: `size` bytes at most, 0 where the other end is gone, -1 with errno. Descriptors are
/// close-on-exec and the caller's; those beyond kDescriptorsMax never arrive in this process.
struct Received {
  long size = -1;
  std::vector<int> descriptors;
};
Received receive_word(int socket, void* data, std::size_t size, int flags);

/// The words of `text`, each of which ends with a NUL.
std::vector<char*> split_words(char* text, std::size_t size);

}  // namespace gyre::process
