#pragma once

#include <string>
#include <utility>

#include <boost/config.hpp>
#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/try.hpp>

#include "base/error.h"

namespace penumbra {

/// A T, or the Error that stood in its way. Reading the value of a failed result ends the process: test first, or TRY.
template <class T>
using Result = BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, Error, BOOST_OUTCOME_V2_NAMESPACE::policy::terminate>;

using Status = Result<void>;

inline Status ok() {
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

/// `return fail(Errc::malformed, "...")` from any function that returns a Result.
inline auto fail(Errc code, std::string what, std::int32_t detail = 0) {
    return BOOST_OUTCOME_V2_NAMESPACE::failure(Error{code, std::move(what), detail});
}
inline auto fail(Error error) {
    return BOOST_OUTCOME_V2_NAMESPACE::failure(std::move(error));
}

}  // namespace penumbra

/// TRY(auto x, expression) or TRY(expression): hand a failure to our caller, otherwise go on with the value.
#define TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
/// The same inside a coroutine. Give it a named Result, not a co_await: GCC 12 miscompiles some temporaries there.
#define CO_TRY(...) BOOST_OUTCOME_CO_TRY(__VA_ARGS__)
