#include "domain/price.h"

#include <algorithm>
#include <set>

namespace gyre {
namespace {

Result<void> check(std::string_view what, Money price) {
  if (price >= Money{0} && price <= kPriceMax) return {};
  return fail(ErrorKind::Invalid, "{}: a price is 0 to {} USD an hour", what,
              kPriceMax.value / 1'000'000);
}

}  // namespace

Result<void> validate(const PriceList& prices) {
  if (prices.models.size() > kPricedModelsMax) {
    return fail(ErrorKind::Invalid, "gpu_hour: at most {} models have prices of their own",
                kPricedModelsMax);
  }
  if (auto good = check("gpu_hour", prices.gpu_hour); !good) return good;
  if (auto good = check("cpu_hour", prices.cpu_hour); !good) return good;
  if (auto good = check("memory_hour", prices.memory_hour); !good) return good;
  std::set<std::string_view> seen;
  for (const PriceList::Model& one : prices.models) {
    if (one.model.empty()) return fail(ErrorKind::Invalid, "gpu_hour: a model has no name");
    if (!seen.insert(one.model).second) {
      return fail(ErrorKind::Invalid, "gpu_hour: '{}' is there twice", one.model);
    }
    if (auto good = check("gpu_hour." + one.model, one.gpu_hour); !good) return good;
  }
  return {};
}

Money gpu_hour_of(const PriceList& prices, std::string_view model) {
  const auto own = std::find_if(prices.models.begin(), prices.models.end(),
                                [&](const PriceList::Model& one) { return one.model == model; });
  return own == prices.models.end() ? prices.gpu_hour : own->gpu_hour;
}

}  // namespace gyre
