#include "services/audit/fairness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace doorbuster::audit {
namespace {

std::uint64_t count_inversions(std::vector<std::uint64_t>& values) {
  std::vector<std::uint64_t> merged(values.size());
  std::uint64_t inversions = 0;
  for (std::size_t width = 1; width < values.size(); width *= 2) {
    for (std::size_t low = 0; low < values.size(); low += 2 * width) {
      const std::size_t middle = std::min(low + width, values.size());
      const std::size_t high = std::min(low + 2 * width, values.size());
      std::size_t left = low, right = middle;
      for (std::size_t out = low; out < high; ++out) {
        if (right == high || (left < middle && values[left] <= values[right])) {
          merged[out] = values[left++];
        } else {
          inversions += middle - left;
          merged[out] = values[right++];
        }
      }
    }
    values.swap(merged);
  }
  return inversions;
}

std::uint64_t largest_displacement(const std::vector<std::uint64_t>& values) {
  std::vector<std::uint32_t> by_number(values.size());
  std::iota(by_number.begin(), by_number.end(), 0U);
  std::stable_sort(by_number.begin(), by_number.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return values[a] < values[b]; });
  std::uint64_t largest = 0;
  for (std::size_t rank = 0; rank < by_number.size(); ++rank) {
    const std::uint64_t place = by_number[rank];
    largest = std::max(largest, place > rank ? place - rank : rank - place);
  }
  return largest;
}

}  // namespace

void measure_fairness(std::vector<Arrival>& arrivals, AuditReport& report) {
  auto& figures = report.fairness;
  figures.measured = true;
  figures.coupons = arrivals.size();

  // Sweep by send time; `answered` walks behind over the answers that were received before that moment.
  std::vector<std::uint32_t> by_answer(arrivals.size());
  std::iota(by_answer.begin(), by_answer.end(), 0U);
  std::sort(arrivals.begin(), arrivals.end(), [](const Arrival& a, const Arrival& b) {
    return std::pair(a.sent, a.sequence) < std::pair(b.sent, b.sequence);
  });
  std::sort(by_answer.begin(), by_answer.end(),
            [&](std::uint32_t a, std::uint32_t b) { return arrivals[a].received < arrivals[b].received; });
  std::size_t answered = 0;
  std::uint64_t highest = 0;
  for (const auto& arrival : arrivals) {
    while (answered < by_answer.size() && arrivals[by_answer[answered]].received < arrival.sent) {
      highest = std::max(highest, arrivals[by_answer[answered++]].sequence);
    }
    if (arrival.sequence < highest) {
      report.breaks(Promise::order,
                    fmt::format("number {} was sent for at {}, after number {} had been answered",
                                arrival.sequence, to_text(arrival.sent), highest));
    }
  }

  std::vector<std::uint64_t> numbers;
  numbers.reserve(arrivals.size());
  for (const auto& arrival : arrivals) numbers.push_back(arrival.sequence);
  figures.largest_displacement = largest_displacement(numbers);
  figures.inversions = count_inversions(numbers);
  const double pairs = static_cast<double>(arrivals.size()) * (static_cast<double>(arrivals.size()) - 1) / 2;
  figures.inverted_share = pairs > 0 ? static_cast<double>(figures.inversions) / pairs : 0;
}

}  // namespace doorbuster::audit
