#pragma once

#include <compare>
#include <cstdint>

namespace gyre {

/// An integer amount of one unit; amounts of different units do not mix.
template <class Tag, class Rep = std::int64_t>
struct Quantity {
  Rep value = 0;

  constexpr auto operator<=>(const Quantity&) const = default;
  constexpr Quantity& operator+=(Quantity o) { return value += o.value, *this; }
  constexpr Quantity& operator-=(Quantity o) { return value -= o.value, *this; }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return a += b; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return a -= b; }
  friend constexpr Quantity operator*(Quantity a, Rep n) { return {a.value * n}; }
};

using GpuMilli = Quantity<struct GpuMilliTag, std::int32_t>;  // thousandths of one GPU
using CpuMilli = Quantity<struct CpuMilliTag>;                // thousandths of one CPU core
using MemoryMib = Quantity<struct MemoryMibTag>;              // MiB
using Money = Quantity<struct MoneyTag>;                      // millionths of a US dollar

inline constexpr GpuMilli kWholeGpu{1000};

}  // namespace gyre
