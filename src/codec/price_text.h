#pragma once

#include <string_view>

#include "base/result.h"
#include "domain/price.h"

namespace gyre::codec {

/// Reads a price file (docs/guide/costs.md): `version: 1`, `gpu_hour` (one price, or `default` and
/// models), and, where wanted, `cpu_hour` and `memory_hour`; US dollars with up to six digits
/// behind the point. The result is valid. Pure, thread-safe, O(text).
Result<PriceList> read_prices(std::string_view text);

}  // namespace gyre::codec
