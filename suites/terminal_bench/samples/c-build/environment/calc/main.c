#include "stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int apply(char op) {
    long a, b;
    if (!stack_pop(&a) || !stack_pop(&b)) return 0;
    switch (op) {
    case '+': return stack_push(a + b);
    case '-': return stack_push(a - b);
    case 'x': return stack_push(a * b);
    case '/': return stack_push(a / b);
    }
    return 0;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        char *end;
        long value = strtol(argv[i], &end, 10);
        int ok = *end == '\0' && end != argv[i] ? stack_push(value) : strlen(argv[i]) == 1 && apply(argv[i][0]);
        if (!ok) return 2;
    }
    long result;
    if (stack_size() != 1) return 2;
    printf("%ld\n", result);
}
