#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gyre {

/// How tasks share one GPU.
enum class Sharing : std::uint8_t {
  Auto,       // whatever the node that is chosen offers; only ever asked for, never given
  Exclusive,  // the whole device
  Mps,        // CUDA MPS: a cap on memory and on the threads that may be active, both enforced
  Mig,        // an instance of the hardware's own: compute, memory and faults apart
  Timeslice,  // turns on the whole device: nothing holds a task to its share or its memory
};
inline constexpr int kSharingCount = 5;

std::string_view to_string(Sharing sharing);  // "auto", "exclusive", "mps", ...

struct Request;
struct Shape;

/// True if devices of this shape can give what `request` says about sharing. Never gives less than
/// is asked: a share by MIG is one of the model's profiles (domain/mig.h) or is not given, and a
/// node shares in the one way that it has joined with.
bool can_share(const Shape& shape, const Request& request);

/// Why not, for a person, with the shares that are given. Requires: can_share() is false.
std::string why_not_shared(const Shape& shape, const Request& request);

/// How a device of this shape is given to `request`; never Auto. Requires: can_share().
Sharing given_sharing(Sharing node, const Request& request);

}  // namespace gyre
