#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace gyre {

/// An identifier that cannot be mixed up with another kind's. Ordered and hashable; ids break ties
/// wherever a policy's scores are equal, so that every order is total.
template <class Tag, class Rep = std::uint64_t>
struct Id {
  Rep value = 0;

  constexpr auto operator<=>(const Id&) const = default;
};

using JobId = Id<struct JobTag>;
using NodeId = Id<struct NodeTag, std::uint32_t>;  // dense: the n-th node that joined is n
using CommandId = Id<struct CommandTag>;
using EventSeq = Id<struct EventTag>;

}  // namespace gyre

template <class Tag, class Rep>
struct std::hash<gyre::Id<Tag, Rep>> {
  std::size_t operator()(gyre::Id<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
