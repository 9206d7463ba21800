// The agent protocol: any bytes are refused or understood, and what is understood is written again
// as it was read.
#include <gyre.pb.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "adapter/grpc/wire.h"
#include "adapter/grpc/wire_faults.h"
#include "base/assert.h"

namespace {

using namespace gyre;
using namespace gyre::adapter::rpc;

void write_word(const AgentWord& word, v1::FromAgent& out) {
  std::visit([&](const auto& one) { write(one, out); }, word);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  v1::FromAgent heard;
  if (heard.ParseFromArray(data, static_cast<int>(size))) {
    if (const auto word = read(heard)) {
      v1::FromAgent first;
      write_word(*word, first);
      const auto again = read(first);
      GYRE_ASSERT(again.has_value());
      v1::FromAgent second;
      write_word(*again, second);
      GYRE_ASSERT(first.SerializeAsString() == second.SerializeAsString());
    }
  }
  v1::FromServer told;
  if (told.ParseFromArray(data, static_cast<int>(size))) {
    if (const auto order = read(told)) {
      v1::FromServer written;
      write(*order, written);
      const auto again = read(written);
      GYRE_ASSERT(again.has_value() && *again == *order);
    }
  }
  v1::Fault fault;
  if (fault.ParseFromArray(data, static_cast<int>(size))) {
    if (const auto order = read(fault)) {
      v1::Fault written;
      write(*order, written);
      const auto again = read(written);
      GYRE_ASSERT(again.has_value() && *again == *order);
    }
  }
  v1::FaultBegun begun;
  if (begun.ParseFromArray(data, static_cast<int>(size))) static_cast<void>(read(begun));
  return 0;
}
