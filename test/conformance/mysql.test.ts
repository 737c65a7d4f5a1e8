import { mysqlSuite } from './mysql-suite.js';

mysqlSuite('mysql');
