#include "adapter/nlopt/minimise.h"

#include <algorithm>
#include <limits>
#include <nlopt.hpp>
#include <optional>

namespace gyre::nlopt_search {
namespace {

/// One search's calls, of both algorithms.
struct Calls {
  const std::function<Result<double>(const std::vector<double>&)>& value;
  std::uint64_t left;
  std::vector<double> best_point;
  double best = std::numeric_limits<double>::infinity();
  std::optional<Error> error = std::nullopt;

  double ask(const std::vector<double>& point) {
    if (left == 0) throw nlopt::forced_stop();
    --left;
    const auto answer = value(point);
    if (!answer) {
      error = answer.error();
      throw nlopt::forced_stop();
    }
    if (*answer < best) {
      best = *answer;
      best_point = point;
    }
    return *answer;
  }
};

double ask(const std::vector<double>& point, std::vector<double>&, void* calls) {
  return static_cast<Calls*>(calls)->ask(point);
}

void search(nlopt::algorithm algorithm, Calls& calls, std::uint64_t evaluations) {
  const std::size_t dimensions = calls.best_point.size();
  nlopt::opt search(algorithm, static_cast<unsigned>(dimensions));
  search.set_lower_bounds(0);
  search.set_upper_bounds(1);
  search.set_maxeval(static_cast<int>(std::min<std::uint64_t>(evaluations, calls.left)));
  search.set_initial_step(0.1);
  search.set_xtol_abs(1e-3);
  search.set_min_objective(ask, &calls);
  std::vector<double> point = calls.best_point;
  double value = 0;
  search.optimize(point, value);
}

}  // namespace

Result<void> minimise(const std::vector<double>& start, std::uint64_t evaluations,
                      const std::function<Result<double>(const std::vector<double>&)>& value) {
  Calls calls{value, evaluations, start};
  try {
    calls.ask(start);
    search(nlopt::GN_DIRECT_L, calls, evaluations * 2 / 3);
    if (calls.left > 0) search(nlopt::LN_SBPLX, calls, calls.left);
  } catch (const nlopt::forced_stop&) {
    if (calls.error) return tl::unexpected(*calls.error);
  } catch (const nlopt::roundoff_limited&) {
    // It stands where no step leads anywhere better.
  } catch (const std::exception& error) {
    return fail(ErrorKind::Internal, "the search failed: {}", error.what());
  }
  return {};
}

}  // namespace gyre::nlopt_search
