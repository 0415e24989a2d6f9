#ifndef STACK_H
#define STACK_H

int stack_push(long value); /* 0: full */
int stack_pop(long *value); /* 0: empty */
int stack_size(void)

#endif
