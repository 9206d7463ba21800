#include <fmt/format.h>
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/lab/lab_run.h"

/// The bytes as a file, and as the content of one whose checksum fits it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gyre::server::read_record;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (read_record(text)) return 0;
  const auto sum = crc32_z(0, reinterpret_cast<const Bytef*>(data), size);
  const auto run = read_record(fmt::format("gyre-lab 1 {:08x}\n{}", sum, text));
  if (!run) return 0;
  const auto again = read_record(to_record(*run));
  if (!again || again->id != run->id || again->since != run->since) std::abort();
  return 0;
}
