// What a client may send where TLS is due: it is refused or waited on, and nothing is taken for
// what it said.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "server/http/tls.h"
#include "server/http/tls_test_kit.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre::server::http;
  static const TestPair kPair = make_pair("localhost");
  static const std::unique_ptr<TlsIdentity> kIdentity =
      std::move(*TlsIdentity::of(kPair.certificate, kPair.key));
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = 1 + data[0] % 64;
  const auto side = kIdentity->accept();
  std::string plain;
  TlsSide::State state = TlsSide::State::Open;
  for (std::size_t at = 0; at < text.size(); at += cut) {
    const auto next = side->feed(text.substr(at, cut), plain);
    GYRE_ASSERT(state == TlsSide::State::Open || next == state);
    state = next;
  }
  GYRE_ASSERT(plain.empty() && side->handshaking());
  GYRE_ASSERT(!side->seal("x"));
  side->end();
  static_cast<void>(side->take_outgoing());
  return 0;
}
