// What a client or a replica may say to the proxy: the same message however it is cut, and a head
// that another server cannot read otherwise.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "server/proxy/heads.h"
#include "server/proxy/message_reader.h"

namespace {

using namespace gyre;
using namespace server::proxy;

struct Seen {
  bool good = true;
  bool done = false;
  std::string body;
  std::string rest;
  std::optional<Head> head;
};

Seen read(MessageReader::Side side, std::string_view text, std::size_t cut) {
  MessageReader reader(side, 4096);
  Seen seen;
  for (std::size_t at = 0; at < text.size() && seen.good; at += cut) {
    seen.rest += text.substr(at, cut);
    seen.good = reader.feed(seen.rest);
    seen.body += reader.take_body();
  }
  seen.done = seen.good && reader.done();
  if (reader.has_head()) seen.head = reader.head();
  if (!seen.done || side == MessageReader::Side::Response) return seen;
  const std::string head =
      request_head(reader.head(), {.target = "/x", .service = "a", .client = "::1"});
  MessageReader again(side, 65536);
  std::string input = head;
  GYRE_ASSERT(again.feed(input) && input.empty());
  GYRE_ASSERT(again.has_head() && again.head().method == reader.head().method);
  GYRE_ASSERT(again.head().chunked == reader.head().chunked);
  GYRE_ASSERT(again.head().length == reader.head().length);
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto side = data[0] % 2 == 0 ? MessageReader::Side::Request : MessageReader::Side::Response;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Seen whole = read(side, text, text.size() + 1);
  const Seen pieces = read(side, text, 1 + data[0] / 2 % 7);
  if (whole.done && pieces.good) {
    GYRE_ASSERT(pieces.done && whole.body == pieces.body && whole.rest == pieces.rest);
    GYRE_ASSERT(whole.head == pieces.head);
  }
  static_cast<void>(destination_of(text));
  return 0;
}
